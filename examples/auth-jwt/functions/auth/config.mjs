// Whose tokens are taken, and for what. Lambda@Edge has no environment variables, so this is packed with the function.

// `iss` of every token, letter by letter.
export const ISSUER = 'http://127.0.0.1:9411/';
// One of the token's `aud`: a token that was made for another service is none for this one.
export const AUDIENCE = 'https://members.example.com';
// Where the issuer publishes its keys.
export const JWKS_URL = 'http://127.0.0.1:9411/.well-known/jwks.json';
// Seconds by which clocks may be apart.
export const LEEWAY = 30;
// Seconds for which a key that is not there does not have the keys fetched again. Here it can be waited for; elsewhere a
// minute is a good one.
export const COOL_DOWN = 15;
