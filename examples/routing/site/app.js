// Where a router would look at location.pathname.
document.querySelector('#app').append(`, at ${location.pathname}`);
