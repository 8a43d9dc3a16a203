// In browsers: takes over the page that was rendered at the edge, with the state that stands in it.

import { hydrateRoot } from 'react-dom/client';

import { App } from './App.jsx';

const state = JSON.parse(document.getElementById('state').textContent);

hydrateRoot(document.getElementById('root'), <App {...state} />);
