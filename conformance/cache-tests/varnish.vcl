# Varnish as the suite's own project sets it up: the built-in policy and one backend. servers.mjs fills in the @MARKS@.
vcl 4.0;

backend default {
    .host = "127.0.0.1";
    .port = "@ORIGIN@";
}
