// CloudFront Function (cloudfront-js-2.0) at viewer-response on /images/*: what caches on the way to the viewer must know,
// browsers' own among them. Runs on hits, too.

function handler(event) {
    const response = event.response;

    // The same URL is another picture for who accepts other formats. The edge's own cache goes by the key, and not by this.
    response.headers.vary = { value: 'Accept' };
    response.headers['x-content-type-options'] = { value: 'nosniff' };
    return response;
}
