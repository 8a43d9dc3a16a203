// CloudFront Function (cloudfront-js-2.0) at viewer-request: addresses of the old site, looked up in a key-value store.
//
// 10,000 of them would not fit into a function's 10 KB of code. And a change of the store needs no new version of the code.

import cf from 'cloudfront';

// The longest key that a store can have, in bytes. `uri` is ASCII where browsers made it: others are percent-encoded.
const LONGEST_KEY = 512;

async function handler(event) {
    const request = event.request;
    // One slash at the end makes no difference.
    const key = request.uri.length > 1 ? request.uri.replace(/\/$/, '') : request.uri;
    if (key.length > LONGEST_KEY) {
        return request;
    }
    let to;
    try {
        to = await cf.kvs().get(key);
    } catch (e) {
        // Not in the map: the origin answers.
        return request;
    }
    const query = request.rawQueryString();
    return {
        statusCode: 301,
        statusDescription: 'Moved Permanently',
        headers: {
            // The place comes from the store alone, only the query from the viewer. So it leads nowhere that is not in the map.
            location: { value: query ? to + '?' + query : to },
            // Browsers keep a 301 for ever unless told otherwise. A day lets a wrong entry be mended.
            'cache-control': { value: 'max-age=86400' },
        },
    };
}
