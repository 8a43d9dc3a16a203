// Origin request: answers in the origin's place. Runs only when the cache has no answer.
//
// This is all that is special to Lambda@Edge. The app itself is in app.js and would run on any platform of Hono's.

import { handle } from 'hono/lambda-edge';

import app from './app.js';

export const handler = handle(app);
