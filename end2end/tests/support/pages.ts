// Every page there is, and what it shows to whom.
export interface PageToSee {
  /** Names the test and the screenshot. */
  name: string;
  path: string;
  who: 'nobody' | 'user' | 'admin';
  status: number;
  /** The page's own heading; Clerk's components bring theirs, and without JavaScript the page has one of its own. */
  heading: RegExp;
  /** A real Clerk component stands here, once JavaScript has run. */
  clerk?: boolean;
}

export const pages: PageToSee[] = [
  { name: 'home', path: '/', who: 'nobody', status: 200, heading: /./ },
  { name: 'sign-in', path: '/sign-in', who: 'nobody', status: 200, heading: /sign in/i, clerk: true },
  { name: 'sign-up', path: '/sign-up', who: 'nobody', status: 200, heading: /sign up|create your account/i, clerk: true },
  { name: 'not-found', path: '/no/such/page', who: 'nobody', status: 404, heading: /^Page not found$/ },
  { name: 'home-signed-in', path: '/', who: 'user', status: 200, heading: /./ },
  { name: 'profile', path: '/profile', who: 'user', status: 200, heading: /^Your profile$/ },
  { name: 'admins-only', path: '/admin/sync', who: 'user', status: 403, heading: /^Admins only$/ },
  { name: 'sync', path: '/admin/sync', who: 'admin', status: 200, heading: /^Sync$/ },
];
