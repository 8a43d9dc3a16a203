// As in the package's own README: the pool exists nowhere, and for what is asked here it need not.
const { Authenticator } = require('cognito-at-edge');

const authenticator = new Authenticator({
  region: 'us-east-1',
  userPoolId: 'us-east-1_tyo1a1FHH',
  userPoolAppId: '63gcbm2jmskokurt5ku9fhejc6',
  userPoolDomain: 'pool.auth.us-east-1.amazoncognito.com',
});

exports.handler = async (request) => authenticator.handle(request);
