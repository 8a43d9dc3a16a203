module.exports = () => require('./support/tokens.js')(require('jsonwebtoken-8'));
