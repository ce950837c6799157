// Stack traces of classes with telling names; no credential in sight.
'use strict';
const util = require('util');

class BearerTokenError extends Error {
  constructor(message) {
    super(message);
    this.name = 'BearerTokenError';
    this.headers = { 'www-authenticate': 'Bearer realm="orders", error="invalid_token"' };
    this.token_type = 'Bearer';
    this.access_token = undefined;
    this.authorization = null;
  }
}

class BearerStrategy {
  authenticate(request) {
    if (!request.headers.authorization) {
      throw new BearerTokenError('no Authorization header: a bearer token is required');
    }
  }
}

try {
  new BearerStrategy().authenticate({ headers: { authorization: '' } });
} catch (error) {
  console.error(error);
  console.error(util.inspect(error, { colors: true }));
  console.error(JSON.stringify(error));
}
console.log({ headers: { authorization: '[REDACTED]', accept: '*/*' }, tokens: 3, tokenCount: 1204 });
console.log('Authorization: Bearer ***');
console.log('token %s of %d', 'expired', 42);
console.log(`data:application/json;base64,${Buffer.from('{"version":3,"sources":["app.ts"],"mappings":"AAAA"}').toString('base64')}`);
process.emitWarning('The access_token query parameter is deprecated', 'DeprecationWarning');
JSON.parse('{"access_token": ');
