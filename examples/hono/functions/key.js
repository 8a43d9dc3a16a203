// CloudFront Function (cloudfront-js-2.0) at viewer-request: leaves of a request what makes a difference to the answer.
//
// What leaves here is in the key. Anybody can send any cookie and any query, and each would be one more copy of each page.

function handler(event) {
    const request = event.request;
    // Without a theme it is day.
    const theme = request.cookies.theme;
    request.cookies = theme && theme.value === 'night' ? { theme: { value: 'night' } } : {};
    if (request.uri !== '/search') {
        request.querystring = {};
    }
    return request;
}
