// Preloaded into the Node gateway, which would listen on every address of the machine:
// a benchmark has no business being reachable from elsewhere.
const net = require('node:net');

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const options = typeof first === 'object' && first !== null ? { ...first } : { port: first };
  options.host = '127.0.0.1';
  return listen.call(this, options, ...rest.filter((argument) => typeof argument === 'function'));
};
