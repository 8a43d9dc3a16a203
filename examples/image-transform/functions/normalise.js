// CloudFront Function (cloudfront-js-2.0) at viewer-request on /images/*: brings what viewers ask for into one of few forms.
//
// What leaves here is the key of the cache, and the only thing that `transform` reads. So whatever makes no difference to
// the picture is gone, everything else is one of a short list, and of Accept one word remains.

// What there is. As many keys as these lists multiplied, for each image, whatever strangers ask for: see README.md.
const WIDTHS = [200, 400, 800, 1600];
const FRAMES = ['200x200', '300x150'];
const FITS = ['cover', 'contain', 'inside'];
const QUALITIES = [40, 60, 80];
const TURNS = ['90', '180', '270'];
// Names: which part each is, `transform` knows.
const CROPS = ['band', 'top'];

// A name is a plain one: no dots that lead elsewhere, and nothing encoded.
const IMAGE = /^\/images\/[a-z0-9][a-z0-9-]{0,63}\.(jpg|png|gif|webp)$/;

// Each gives the canonical value, '' for what is the default anyway, and undefined for what it does not take.
const PARAMETERS = [
    { name: 'fit', takes: 'cover, contain or inside', canonical: (value) => oneOf(FITS, value) },
    { name: 'q', takes: '1 to 80', canonical: (value) => stepUp(QUALITIES, value) },
    { name: 'rotate', takes: '0, 90, 180 or 270', canonical: (value) => (value === '0' ? '' : oneOf(TURNS, value)) },
    { name: 'crop', takes: 'band or top', canonical: (value) => oneOf(CROPS, value) },
];

// What makes one picture different from another, as in the cache policy.
const KEY = ['size', 'fit', 'q', 'rotate', 'crop', 'format'];

function handler(event) {
    const request = event.request;
    const image = IMAGE.exec(request.uri);
    if (!image) {
        return say(404, 'Not Found', 'No such image.\n');
    }

    const given = request.querystring;
    const query = { size: size(given.w, given.h) };
    if (query.size === undefined) {
        return say(400, 'Bad Request', 'w: 1 to 1600, or w and h: ' + FRAMES.join(' or ') + '\n');
    }
    const wrong = PARAMETERS.find((parameter) => {
        if (!given[parameter.name]) {
            return false;
        }
        const value = parameter.canonical(text(given[parameter.name]));
        query[parameter.name] = value;
        return value === undefined;
    });
    if (wrong) {
        return say(400, 'Bad Request', wrong.name + ': ' + wrong.takes + '\n');
    }
    if (image[1] === 'gif' && query.rotate) {
        return say(400, 'Bad Request', 'rotate: not for what moves\n');
    }
    // How to fit matters where there is a frame to fit into.
    query.fit = oneOf(FRAMES, query.size) ? query.fit || 'cover' : '';
    query.q = query.q || '60';
    // Never what the viewer wrote there.
    query.format = format(request.headers.accept ? request.headers.accept.value : '', image[1]);

    // As a text, which is taken as it stands. Of an object nobody says in which order it is written, and each order is a
    // key of its own.
    request.querystring = KEY.filter((name) => query[name]).map((name) => name + '=' + query[name]).join('&');
    return request;
}

// `plain` is for who says nothing, and becomes JPEG, PNG or GIF. There are no animations in AVIF here.
function format(accept, extension) {
    if (extension !== 'gif' && accepts(accept, 'image/avif')) {
        return 'avif';
    }
    return accepts(accept, 'image/webp') ? 'webp' : 'plain';
}

// Whether it is named. Everybody sends `*/*`, also who cannot show it.
function accepts(header, type) {
    return header.toLowerCase().split(',', 20).some((part) => {
        const pieces = part.split(';').map((piece) => piece.trim());
        return pieces[0] === type && !pieces.slice(1).some((piece) => /^q=0(\.0*)?$/.test(piece));
    });
}

// A width becomes the next larger one of the list, and none the largest: nothing is made larger than it is. A frame has to
// be one of the list.
function size(w, h) {
    return h ? oneOf(FRAMES, text(w) + 'x' + text(h)) : stepUp(WIDTHS, w ? text(w) : '1600');
}

// Twice the same parameter is no request of ours, and nothing that a list has.
function text(parameter) {
    return parameter && !parameter.multiValue ? parameter.value : '';
}

function stepUp(steps, value) {
    const number = /^[0-9]{1,5}$/.test(value) ? Number(value) : 0;
    const step = number > 0 ? steps.find((step) => step >= number) : undefined;
    return step === undefined ? undefined : String(step);
}

function oneOf(words, value) {
    return words.indexOf(value) >= 0 ? value : undefined;
}

function say(status, description, text) {
    return {
        statusCode: status,
        statusDescription: description,
        headers: { 'content-type': { value: 'text/plain; charset=utf-8' }, 'cache-control': { value: 'no-store' } },
        body: text,
    };
}
