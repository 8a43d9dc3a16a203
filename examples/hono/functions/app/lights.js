// What the app, which runs at origin-request, is about. It is part of the bundle, as small tables may be.

export const LIGHTS = [
  { slug: 'bell-rock', name: 'Bell Rock', coast: 'North Sea', lit: 1811, metres: 35 },
  { slug: 'cordouan', name: 'Cordouan', coast: 'Bay of Biscay', lit: 1611, metres: 68 },
  { slug: 'roter-sand', name: 'Roter Sand', coast: 'North Sea', lit: 1885, metres: 31 },
  { slug: 'hercules', name: 'Tower of Hercules', coast: 'Atlantic', lit: 110, metres: 55 },
];
