// An origin as one finds them: it tells more of itself than it should, and nothing of security.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

const HOST = '127.0.0.1';
const PORT = 9411;

const page = (script) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Page</title>
<p>A page with a script in it.</p>
${script}
</html>
`;

createServer((request, response) => {
  response.setHeader('Server', 'Apache/2.4.1 (Unix) PHP/5.4.0');
  response.setHeader('X-Powered-By', 'PHP/5.4.0');
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  if (request.url === '/account') {
    // Made for one viewer, so the nonce is new each time, and the policy that names it comes with it.
    const nonce = randomBytes(16).toString('base64');
    response.setHeader('Cache-Control', 'private, no-store');
    response.setHeader('Content-Security-Policy', `default-src 'self'; script-src 'nonce-${nonce}'`);
    response.end(page(`<script nonce="${nonce}">document.title = 'Account';</script>`));
  } else if (request.url === '/moved') {
    response.writeHead(302, { Location: '/' }).end();
  } else if (request.url === '/' || request.url === '/policy/') {
    response.end(page("<script>document.title = 'Home';</script>"));
  } else {
    response.writeHead(404).end('<!doctype html>\n<title>Nothing here</title>\n');
  }
}).listen(PORT, HOST, () => console.log(`origin on http://${HOST}:${PORT}`));
