// The data of the origin-request function in render.jsx. It is in the function's bundle only: browsers get what their page
// was rendered from. Real data comes from a database or an API. What matters here is that people wrote some of it.

export const trails = [
  {
    slug: 'ridge-walk',
    name: 'Ridge walk',
    km: 14.2,
    about: 'Up through the larches, then along the ridge with both valleys in view. Windy on most afternoons.',
    notes: [
      { by: 'Ana', text: 'Snow above 1900 m until May.' },
      { by: 'Tom & Rui', text: 'The spring at the second hut was dry in August.' },
    ],
  },
  {
    slug: 'river-loop',
    name: 'River loop',
    km: 8.5,
    about: 'Level all the way round, on the old towpath and back by the mill. Good after rain, when the ridge is not.',
    notes: [
      { by: 'Mira', text: 'Herons at the weir before eight.' },
      { by: 'somebody', text: '</script><script>alert("not today")</script>' },
    ],
  },
  {
    slug: 'three-chapels',
    name: 'Three chapels',
    km: 11.0,
    about: 'From chapel to chapel across the meadows. The last one has the key under the bench.',
    notes: [],
  },
];
