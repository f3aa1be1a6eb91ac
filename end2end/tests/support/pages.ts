// Every page there is, and what it shows to whom.
import { expect, type Page } from '@playwright/test';

export interface PageToSee {
  /** Names the test and the screenshot. */
  name: string;
  path: string;
  who: 'nobody' | 'user' | 'admin';
  status: number;
  heading: RegExp;
  /** A real Clerk component stands here, once JavaScript has run. */
  clerk?: 'form' | 'user button';
}

export const pages: PageToSee[] = [
  { name: 'home', path: '/', who: 'nobody', status: 200, heading: /./ },
  { name: 'sign-in', path: '/sign-in', who: 'nobody', status: 200, heading: /^Sign in$/, clerk: 'form' },
  { name: 'sign-up', path: '/sign-up', who: 'nobody', status: 200, heading: /^Sign up$/, clerk: 'form' },
  { name: 'not-found', path: '/no/such/page', who: 'nobody', status: 404, heading: /^Page not found$/ },
  { name: 'home-signed-in', path: '/', who: 'user', status: 200, heading: /./ },
  { name: 'profile', path: '/profile', who: 'user', status: 200, heading: /^Your profile$/, clerk: 'user button' },
  { name: 'admins-only', path: '/admin/sync', who: 'user', status: 403, heading: /^Admins only$/ },
  { name: 'connection', path: '/admin/sync/connection', who: 'admin', status: 200, heading: /^Connection$/ },
  { name: 'activity', path: '/admin/activity', who: 'admin', status: 200, heading: /^Activity$/ },
  { name: 'sync-week', path: '/admin/sync?period=week', who: 'admin', status: 200, heading: /^Sync$/ },
  { name: 'sync', path: '/admin/sync', who: 'admin', status: 200, heading: /^Sync$/ },
];

export async function clerkIsThere(page: Page, component: 'form' | 'user button'): Promise<void> {
  const sign =
    component === 'form'
      ? page.getByRole('textbox', { name: /^email address/i })
      : page.getByRole('button', { name: 'Open user menu' });
  await expect(sign).toBeVisible();
}
