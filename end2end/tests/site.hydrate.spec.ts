// What was built for browsers is loaded once: its names change with what is in it.
import { expect, test } from './support/test';

test('a second visit loads style, script and WASM from the browser\'s own', async ({ page, complaints }) => {
  const loaded = async () => {
    await page.goto('/', { waitUntil: 'networkidle' });
    return page.evaluate(() =>
      (performance.getEntriesByType('resource') as PerformanceResourceTiming[])
        .filter(({ name }) => new URL(name).pathname.startsWith('/pkg/'))
        .map(({ name, transferSize }) => ({ name, isLoaded: transferSize > 0 })),
    );
  };
  const first = await loaded();
  const names = new Set(first.map(({ name }) => new URL(name).pathname));
  for (const ending of ['css', 'js', 'wasm']) {
    const path = [...names].find((name) => name.endsWith(`.${ending}`)) ?? '';
    expect(path).toMatch(/^\/pkg\/[0-9a-f]{16}\/rollcall\.[a-z]+$/);
    expect((await page.request.get(path)).headers()['cache-control']).toBe('public, max-age=31536000, immutable');
  }
  expect(first.some(({ isLoaded }) => isLoaded)).toBe(true);

  const second = await loaded();
  expect(new Set(second.map(({ name }) => new URL(name).pathname))).toEqual(names);
  expect(second.filter(({ isLoaded }) => isLoaded)).toEqual([]);
  expect(complaints).toEqual([]);
});
