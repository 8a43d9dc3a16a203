// CloudFront Function (cloudfront-js-2.0) at viewer-response: has the viewer's browser remember the variant.
//
// It sees the request as the function at viewer-request left it, so X-Variant is what this viewer was given. What is
// added here goes to this viewer alone. It is not in the cache, where the next viewer of the variant would get it, too.

const COOKIE = 'ab-home';
// Thirty days. Scripts need not read it; leave HttpOnly out if yours count the variants by it.
const ATTRIBUTES = 'Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax';

function handler(event) {
    const request = event.request;
    const response = event.response;
    const given = request.headers['x-variant'];
    const held = request.cookies[COOKIE];

    if (given && (!held || held.value !== given.value)) {
        response.cookies[COOKIE] = { value: given.value, attributes: ATTRIBUTES };
    }
    // One URL with two contents: caches between here and the viewer keep neither, and the browser asks each time. What it
    // asks with is the ETag of a variant, so that the answer is a short 304 until the viewer moves.
    response.headers['cache-control'] = { value: 'private, no-cache' };
    return response;
}
