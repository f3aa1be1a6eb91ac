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
  clerk?: 'form' | 'profile';
}

export const pages: PageToSee[] = [
  { name: 'home', path: '/', who: 'nobody', status: 200, heading: /./ },
  { name: 'sign-in', path: '/sign-in', who: 'nobody', status: 200, heading: /^Sign in$/, clerk: 'form' },
  { name: 'sign-up', path: '/sign-up', who: 'nobody', status: 200, heading: /^Sign up$/, clerk: 'form' },
  { name: 'not-found', path: '/no/such/page', who: 'nobody', status: 404, heading: /^Page not found$/ },
  { name: 'home-signed-in', path: '/', who: 'user', status: 200, heading: /./ },
  { name: 'profile', path: '/profile', who: 'user', status: 200, heading: /^Your profile$/ },
  { name: 'sessions', path: '/profile/sessions', who: 'user', status: 200, heading: /^Your sessions$/ },
  { name: 'account', path: '/profile/account', who: 'user', status: 200, heading: /^Sign-in and security$/, clerk: 'profile' },
  { name: 'your-data', path: '/profile/data', who: 'user', status: 200, heading: /^Your data$/ },
  { name: 'verify', path: '/verify?back=%2Fprofile%2Fdata', who: 'user', status: 200, heading: /^Confirm that it is you$/ },
  { name: 'people', path: '/people', who: 'user', status: 200, heading: /^People$/ },
  { name: 'people-found', path: '/people?q=a', who: 'user', status: 200, heading: /^People$/ },
  { name: 'people-none', path: '/people?q=nobody-at-all', who: 'user', status: 200, heading: /^People$/ },
  { name: 'person', path: '/people/ada', who: 'user', status: 200, heading: /./ },
  { name: 'person-none', path: '/people/nobody-at-all', who: 'user', status: 404, heading: /^Not found$/ },
  { name: 'admins-only', path: '/admin/sync', who: 'user', status: 403, heading: /^Admins only$/ },
  { name: 'connection', path: '/admin/sync/connection', who: 'admin', status: 200, heading: /^Connection$/ },
  { name: 'users', path: '/admin/users', who: 'admin', status: 200, heading: /^Users$/ },
  { name: 'users-found', path: '/admin/users?q=a', who: 'admin', status: 200, heading: /^Users$/ },
  { name: 'role-changes', path: '/admin/role-changes', who: 'admin', status: 200, heading: /./ },
  { name: 'activity', path: '/admin/activity', who: 'admin', status: 200, heading: /^Activity$/ },
  { name: 'sync-week', path: '/admin/sync?period=week', who: 'admin', status: 200, heading: /^Sync$/ },
  { name: 'sync', path: '/admin/sync', who: 'admin', status: 200, heading: /^Sync$/ },
  { name: 'events', path: '/admin/sync/events', who: 'admin', status: 200, heading: /^Events$/ },
  { name: 'events-none', path: '/admin/sync/events?type=none', who: 'admin', status: 200, heading: /^Events$/ },
  { name: 'events-unclear', path: '/admin/sync/events?q=colour:red', who: 'admin', status: 400, heading: /^Events$/ },
  { name: 'failures', path: '/admin/sync/failures', who: 'admin', status: 200, heading: /^Failures$/ },
  { name: 'replay', path: '/admin/sync/replay?type=user.created', who: 'admin', status: 200, heading: /^Replay$/ },
  { name: 'runs', path: '/admin/sync/runs', who: 'admin', status: 200, heading: /^Runs$/ },
  { name: 'effects', path: '/admin/sync/effects', who: 'admin', status: 200, heading: /^Effects$/ },
  { name: 'audit', path: '/admin/sync/audit', who: 'admin', status: 200, heading: /^Audit$/ },
];

export async function clerkIsThere(page: Page, component: 'form' | 'profile'): Promise<void> {
  const sign =
    component === 'form'
      ? page.getByRole('textbox', { name: /^email address/i })
      : page.getByRole('button', { name: 'Update profile' });
  await expect(sign).toBeVisible();
}
