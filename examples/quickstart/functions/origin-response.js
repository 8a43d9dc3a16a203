'use strict';

// Origin response: repairs. Runs once per fetch; what it returns is what the cache stores and every viewer gets.
//
// The site's origin says nothing about caching, so it is said here. And its 404 is an XML document for
// machines; people get a page. The status is 404 still, or search engines would index the page.

const ASSETS = 'public, max-age=86400';
const PAGES = 'public, max-age=0, s-maxage=60';
const MISSING = 'public, max-age=0, s-maxage=10';

exports.handler = async (event) => {
  const { request, response } = event.Records[0].cf;

  if (isMissing(request, response)) {
    response.status = '404';
    response.statusDescription = 'Not Found';
    set(response, 'Content-Type', 'text/html; charset=utf-8');
    set(response, 'Cache-Control', MISSING);
    response.body = NOT_FOUND;
    response.bodyEncoding = 'text';
  } else if (['200', '206', '304'].includes(response.status)) {
    set(response, 'Cache-Control', request.uri.startsWith('/assets/') ? ASSETS : PAGES);
  }
  return response;
};

// S3 says 403 of a key that is not there, unless the reader may list the bucket (`s3:ListBucket`).
function isMissing({ origin }, { status }) {
  return status === '404' || (status === '403' && origin?.s3 !== undefined);
}

function set(response, name, value) {
  response.headers[name.toLowerCase()] = [{ key: name, value }];
}

const NOT_FOUND = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Nothing here</title>
<link rel="stylesheet" href="/assets/style.css">
<body class="missing">
<main>
  <img src="/assets/logo.svg" alt="" width="72" height="72">
  <h1>Nothing here</h1>
  <p>This page does not exist. The <a href="/">front page</a> does.</p>
</main>
</html>
`;
