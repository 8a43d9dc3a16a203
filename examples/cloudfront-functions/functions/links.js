// CloudFront Function (cloudfront-js-2.0) at viewer-request: short links, `/go/NAME`, from a key-value store.
//
// The function answers by itself: no cache, no origin. A value is {"to": "https://..", "until": "2030-01-01T00:00:00Z"}, in
// which `until` may be left out. Whoever may write the store decides where the links of this site lead.

import cf from 'cloudfront';

async function handler(event) {
    const name = event.request.uri.slice('/go/'.length).toLowerCase();
    const link = await find(name);

    if (!link) {
        return say(404, 'Not Found', 'No such link.\n');
    }
    if (link.until && Date.now() >= Date.parse(link.until)) {
        return say(410, 'Gone', 'This link has ended.\n');
    }
    return {
        // 302: browsers keep a 301, and links change.
        statusCode: 302,
        statusDescription: 'Found',
        headers: { location: { value: link.to }, 'cache-control': { value: 'no-store' } },
    };
}

// Undefined where there is none. A store refuses keys of more than 512 bytes, and whoever asks for one gets the same answer.
async function find(name) {
    if (!/^[a-z0-9-]{1,64}$/.test(name)) {
        return undefined;
    }
    try {
        return await cf.kvs().get(name, { format: 'json' });
    } catch (e) {
        return undefined;
    }
}

function say(status, description, text) {
    return {
        statusCode: status,
        statusDescription: description,
        headers: { 'content-type': { value: 'text/plain; charset=utf-8' }, 'cache-control': { value: 'no-store' } },
        body: text,
    };
}
