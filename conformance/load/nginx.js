// What the two functions beside this file do, in nginx's own JavaScript.
function hook(r) {
    r.headersOut['X-Hook'] = 'viewer-response';
}

function generated(r) {
    r.headersOut['X-Hook'] = 'viewer-request';
    r.headersOut['Content-Type'] = 'text/plain';
    r.return(200, 'hello, edge\n');
}

export default { hook, generated };
