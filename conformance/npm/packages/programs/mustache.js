const fs = require('fs');
const path = require('path');
const mustache = require('mustache');
const { cases, failing } = require('./support/cases.js');

module.exports = () => cases({
  values: () => mustache.render('{{a}} {{{b}}} {{&b}} {{c.d}} {{none}}', { a: '<x>', b: '<y>', c: { d: 1 } }),
  sections: () => mustache.render('{{#list}}{{.}},{{/list}}{{^empty}}none{{/empty}}{{#on}}on{{/on}}', { list: [1, 2, 3], empty: [], on: true }),
  lambdas: () => mustache.render('{{#bold}}Hi {{name}}{{/bold}}', { name: 'Ana', bold: () => (text, render) => `<b>${render(text)}</b>` }),
  partials: () => mustache.render('{{>head}} {{#list}}{{>item}}{{/list}}', { title: 'T', list: [{ n: 1 }, { n: 2 }] }, { head: '<h1>{{title}}</h1>', item: '[{{n}}]' }),
  partials_by_function: () => mustache.render('{{>a}}', {}, (name) => `partial ${name}`),
  delimiters: () => mustache.render('{{=<% %>=}}<% a %> {{a}}', { a: 1 }),
  custom_tags: () => mustache.render('[[a]]', { a: 1 }, {}, ['[[', ']]']),
  escape: () => mustache.render('{{a}}', { a: '"&\'/`=' }),
  own_escape: () => mustache.render('{{a}}', { a: '<' }, {}, { escape: (v) => `(${v})` }),
  parse: () => mustache.parse('a {{b}} {{#c}}d{{/c}}'),
  // Templates are files of the bundle.
  file: () => mustache.render(fs.readFileSync(path.join(__dirname, 'support/page.mustache'), 'utf8'), { title: 'File', items: ['a', 'b'] }),
  unclosed: () => failing(() => mustache.render('{{#a}}', {})),
  imported: async () => (await import('mustache')).default.render('{{a}}', { a: 1 }),
});
