// CloudFront Function (cloudfront-js-2.0) at viewer-request: puts the request's headers in order before the cache is asked.
//
// Accept-Language becomes one of three words. Browsers send hundreds of different ones, and each would be a miss.
// True-Client-IP tells the origin who asks, and is never what a viewer says of itself.

const LANGUAGES = ['en', 'de', 'fr'];

function handler(event) {
    const request = event.request;
    const accepted = request.headers['accept-language'];

    request.headers['accept-language'] = { value: preferred(accepted ? accepted.value : '') };
    request.headers['true-client-ip'] = { value: event.viewer.ip };
    return request;
}

// The best of our languages for a header such as `de-AT, de;q=0.9, en;q=0.5`. The first one, for whoever takes none of them.
function preferred(header) {
    let best = LANGUAGES[0];
    let weight = 0;
    // Nobody speaks more than twenty. A header may hold thousands, and there is less than a millisecond.
    header.toLowerCase().split(',', 20).forEach((part) => {
        const pieces = part.split(';');
        const language = pieces[0].trim().split('-')[0];
        const q = pieces.length > 1 ? Number(pieces[1].trim().replace('q=', '')) : 1;
        // What is no number is never greater.
        if (LANGUAGES.indexOf(language) >= 0 && q > weight) {
            best = language;
            weight = q;
        }
    });
    return best;
}
