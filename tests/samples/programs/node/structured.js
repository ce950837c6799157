// Structured logs of Node services: `node structured.js CREDENTIALS`.
'use strict';
const fs = require('fs');
const path = require('path');
const pino = require('pino');
const winston = require('winston');

const folder = process.argv[2];
const have = (name) => fs.readFileSync(path.join(folder, name), 'utf8');

// The base holds the process id and the host name: not of interest here.
const log = pino({ base: null, timestamp: () => ',"time":1704067200000' }, pino.destination({ sync: true }));
log.info({ req: { method: 'GET', url: `/orders?access_token=${have('es256')}`, headers: { authorization: `Bearer ${have('rs256')}` } } }, 'request');
log.info({ headers: { 'x-api-key': have('hex32'), cookie: `sid=${have('b64url')}; theme=dark` } }, 'request');
log.info('raw headers %o', { authorization: `Bearer ${have('hs256')}` });
log.info({ body: JSON.stringify({ access_token: have('ghp'), token_type: 'Bearer' }) }, 'issued');
log.error(new Error(`upstream said no to Bearer ${have('hex40')}`));
log.info({ html: `<a href="/cb?id_token=${have('jwe_dir')}">back</a>` });

const simple = winston.createLogger({
  format: winston.format.combine(winston.format.colorize(), winston.format.simple()),
  transports: [new winston.transports.Console()],
});
simple.info('request', { headers: { Authorization: `Bearer ${have('eddsa')}` } });
simple.warn(`refused ${have('jwe_rsa')}`);
const pretty = winston.createLogger({
  format: winston.format.prettyPrint(),
  transports: [new winston.transports.Console()],
});
pretty.info('issued', { access_token: have('b64std'), refresh_token: have('uuid'), expires_in: 3600 });
