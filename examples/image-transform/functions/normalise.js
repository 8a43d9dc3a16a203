// CloudFront Function (cloudfront-js-2.0) at viewer-request on /images/*: brings what viewers ask for into one of few forms.
//
// What leaves here is the key of the cache, and the only thing that `transform` reads. So whatever makes no difference to
// the picture is gone, sizes are those of a short list, and of Accept one word remains.

// For w and h. What is between two of them becomes the larger one.
const SIZES = [50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600];
const QUALITIES = [40, 60, 80];

// A name is a plain one: no dots that lead elsewhere, and nothing encoded.
const IMAGE = /^\/images\/[a-z0-9][a-z0-9-]{0,63}\.(jpg|png|gif|webp)$/;

// Each gives the canonical value, '' for what is the default anyway, and undefined for what it does not take.
const PARAMETERS = [
    { name: 'w', takes: '1 to 1600', canonical: (value) => stepUp(SIZES, value) },
    { name: 'h', takes: '1 to 1600', canonical: (value) => stepUp(SIZES, value) },
    { name: 'fit', takes: 'cover, contain or inside', canonical: (value) => oneOf(['cover', 'contain', 'inside'], value) },
    { name: 'q', takes: '1 to 80', canonical: (value) => stepUp(QUALITIES, value) },
    { name: 'rotate', takes: '0, 90, 180 or 270', canonical: (value) => (value === '0' ? '' : oneOf(['90', '180', '270'], value)) },
    { name: 'crop', takes: 'left,top,width,height in percent', canonical: crop },
];

// What makes one picture different from another, as in the cache policy.
const KEY = ['w', 'h', 'fit', 'q', 'rotate', 'crop', 'format'];

function handler(event) {
    const request = event.request;
    const image = IMAGE.exec(request.uri);
    if (!image) {
        return say(404, 'Not Found', 'No such image.\n');
    }

    const query = {};
    const wrong = PARAMETERS.find((parameter) => {
        const given = request.querystring[parameter.name];
        if (!given) {
            return false;
        }
        // Twice the same parameter is no request of ours.
        const value = given.multiValue ? undefined : parameter.canonical(given.value);
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
    query.fit = query.w && query.h ? query.fit || 'cover' : '';
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

function stepUp(steps, value) {
    const number = /^[0-9]{1,5}$/.test(value) ? Number(value) : 0;
    const step = number > 0 ? steps.find((step) => step >= number) : undefined;
    return step === undefined ? undefined : String(step);
}

function oneOf(words, value) {
    return words.indexOf(value) >= 0 ? value : undefined;
}

// In steps of ten percent.
function crop(value) {
    const text = value.replace(/%2c/gi, ',');
    if (!/^[0-9]{1,3}(,[0-9]{1,3}){3}$/.test(text)) {
        return undefined;
    }
    const rounded = text.split(',').map((number) => Math.round(Number(number) / 10) * 10);
    const left = rounded[0], top = rounded[1], width = rounded[2], height = rounded[3];
    if (width === 0 || height === 0 || left + width > 100 || top + height > 100) {
        return undefined;
    }
    return width === 100 && height === 100 ? '' : rounded.join(',');
}

function say(status, description, text) {
    return {
        statusCode: status,
        statusDescription: description,
        headers: { 'content-type': { value: 'text/plain; charset=utf-8' }, 'cache-control': { value: 'no-store' } },
        body: text,
    };
}
