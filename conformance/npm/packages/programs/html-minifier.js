const { minify } = require('html-minifier');
const { cases, failing } = require('./support/cases.js');

const page = `<!DOCTYPE html>
<html>
  <head>
    <!-- a comment -->
    <title>  A  page </title>
    <style>  body { color : #ff0000 ; margin : 0px }  </style>
    <script type="text/javascript">
      function greet ( name ) { var unused = 1; return 'Hello, ' + name ; }
      greet ( 'you' ) ;
    </script>
  </head>
  <body class="  a   b  " style="color: red; ;" onclick="javascript:go()">
    <p>  Some   <b> bold </b>  text é &amp; &copy; </p>
    <input type="text" disabled="disabled" value="">
    <pre>  kept   as it is  </pre>
    <ul> <li>one</li> <li>two</li> </ul>
  </body>
</html>`;

module.exports = () => cases({
  nothing: () => minify(page),
  spaces: () => minify(page, { collapseWhitespace: true, conservativeCollapse: true }),
  all: () => minify(page, {
    collapseBooleanAttributes: true, collapseWhitespace: true, decodeEntities: true, minifyCSS: true, minifyJS: true, minifyURLs: 'https://shop.test/',
    removeAttributeQuotes: true, removeComments: true, removeEmptyAttributes: true, removeOptionalTags: true, removeRedundantAttributes: true,
    removeScriptTypeAttributes: true, sortAttributes: true, sortClassName: true, useShortDoctype: true,
  }),
  own_css: () => minify('<style>a{}</style>', { minifyCSS: (text) => text.toUpperCase() }),
  lines: () => minify(page, { collapseWhitespace: true, maxLineLength: 60 }),
  fragments: () => minify('<p> {{ a }} </p>', { collapseWhitespace: true, ignoreCustomFragments: [/\{\{.*?\}\}/] }),
  broken: () => failing(() => minify('<p <b>')),
  large: () => minify(`<ul>${'<li> item </li>\n'.repeat(500)}</ul>`, { collapseWhitespace: true }).length,
});
