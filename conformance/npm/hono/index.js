import { Hono } from 'hono';
import { handle } from 'hono/lambda-edge';

const app = new Hono();

app.use('*', async (c, next) => {
  await next();
  c.res.headers.set('X-App', 'hono');
});
app.get('/hello/:name', (c) => c.text(`Hello, ${c.req.param('name')}!`));
app.get('/json', (c) => c.json({ query: c.req.query(), agent: c.req.header('user-agent') }));
app.get('/image', (c) => c.body(new Uint8Array([137, 80, 78, 71, 0, 255]), 200, { 'Content-Type': 'image/png' }));
app.get('/cookies', (c) => {
  c.header('Set-Cookie', 'a=1', { append: true });
  c.header('Set-Cookie', 'b=2', { append: true });
  return c.redirect('/elsewhere');
});
app.get('/throws', () => {
  throw new Error('inside a route');
});
app.get('/origin/*', (c) => c.env.callback(null, c.env.request));

export const handler = handle(app);
