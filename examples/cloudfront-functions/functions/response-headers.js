// CloudFront Function (cloudfront-js-2.0) at viewer-response: what viewers are told differently. Runs on hits, too.

function handler(event) {
    const response = event.response;

    // Which server of the origin it was is the origin's own business.
    delete response.headers['x-backend'];
    response.headers['x-content-type-options'] = { value: 'nosniff' };
    return response;
}
