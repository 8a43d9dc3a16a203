// CloudFront Function (cloudfront-js-2.0) at viewer-request: says which variant of the page this viewer gets.
//
// A viewer whose cookie names a variant stays there. Everybody else is drawn by the weights in the key-value store. The
// answer is left in the header X-Variant, which the cache policy has in its key. The cookie is in no key.

import cf from 'cloudfront';

// The key in the store, whose value is such as {"a":90,"b":10}.
const EXPERIMENT = 'home';
const COOKIE = 'ab-home';
// The first one is what viewers get when there is no experiment.
const VARIANTS = ['a', 'b'];

async function handler(event) {
    const request = event.request;
    const weights = await readWeights();
    const cookie = request.cookies[COOKIE];

    let variant = cookie ? cookie.value : '';
    // A cookie is whatever a viewer sends. And a variant of weight 0 is withdrawn: its viewers are drawn anew.
    if (VARIANTS.indexOf(variant) < 0 || weights[variant] === 0) {
        variant = draw(weights);
    }
    // Always set, so that what a viewer sends in this header never counts.
    request.headers['x-variant'] = { value: variant };
    return request;
}

// A weight for each variant. All goes to the first one if the store has no such key, or nothing of use in it: a mistake
// there is no reason for an error page.
async function readWeights() {
    const weights = {};
    let found;
    try {
        found = await cf.kvs().get(EXPERIMENT, { format: 'json' });
    } catch (e) {
        console.log('no weights: ' + e);
    }
    let sum = 0;
    VARIANTS.forEach((variant) => {
        const weight = found ? found[variant] : 0;
        weights[variant] = typeof weight === 'number' && weight > 0 ? weight : 0;
        sum += weights[variant];
    });
    if (sum === 0) {
        weights[VARIANTS[0]] = 1;
    }
    return weights;
}

function draw(weights) {
    let sum = 0;
    VARIANTS.forEach((variant) => {
        sum += weights[variant];
    });
    let left = Math.random() * sum;
    for (let i = 0; i < VARIANTS.length; i++) {
        left -= weights[VARIANTS[i]];
        if (left < 0) {
            return VARIANTS[i];
        }
    }
    return VARIANTS[0];
}
