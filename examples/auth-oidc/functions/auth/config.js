// Viewer request: what the function knows of the user pool and the site. Lambda@Edge has no environment variables, so it
// stands in the bundle; a deployment writes this file. The values are those of the provider in ../../provider.mjs.

module.exports = {
  region: 'eu-central-1',
  userPoolId: 'eu-central-1_Trails123',
  userPoolAppId: '4f6trailsapp2c7members9kq',
  userPoolAppSecret: 'known-to-provider.mjs-and-nobody-else',
  userPoolDomain: '127.0.0.1:9411', // on AWS: trails.auth.eu-central-1.amazoncognito.com, or a name of your own
  site: 'https://127.0.0.1:8443', // on AWS: https://members.example.com
};
