// The app: the same components render at the edge (functions/render.jsx) and take over in the browser (client.jsx).

import { useEffect, useState } from 'react';

export function App({ page, renderedAt }) {
  // Effects run in browsers only, after the first render there: until then both sides show the same.
  const [hydrated, setHydrated] = useState(false);
  useEffect(() => setHydrated(true), []);

  return (
    <div className="app" data-hydrated={hydrated}>
      <header>
        <a href="/">Trails</a>
        <span className="badge">{hydrated ? 'interactive' : 'rendered at the edge'}</span>
      </header>
      <main>{VIEWS[page.name](page)}</main>
      <footer>
        Rendered <time dateTime={renderedAt}>{renderedAt}</time>
      </footer>
    </div>
  );
}

const VIEWS = {
  front: ({ trails }) => <Front trails={trails} />,
  trail: ({ trail }) => <Trail trail={trail} />,
  missing: () => <Missing />,
};

function Front({ trails }) {
  return (
    <>
      <h1>Trails</h1>
      <ul className="cards">
        {trails.map(({ slug, name, km }) => (
          <li key={slug}>
            <a href={`/trails/${slug}`}>{name}</a>
            <span>{km.toFixed(1)} km</span>
          </li>
        ))}
      </ul>
      <Counter label="Walks this year" />
    </>
  );
}

function Trail({ trail }) {
  return (
    <>
      <h1>{trail.name}</h1>
      <p className="facts">{trail.km.toFixed(1)} km</p>
      <p>{trail.about}</p>
      <Counter label="Times walked" />
      <h2>Notes</h2>
      {trail.notes.length === 0 && <p>None yet.</p>}
      {trail.notes.map(({ by, text }, index) => (
        <blockquote key={index}>
          <p>{text}</p>
          <cite>{by}</cite>
        </blockquote>
      ))}
    </>
  );
}

function Counter({ label }) {
  const [count, setCount] = useState(0);
  return (
    <p className="counter">
      {label}: <output>{count}</output>
      <button type="button" onClick={() => setCount((count) => count + 1)}>
        Add one
      </button>
    </p>
  );
}

function Missing() {
  return (
    <>
      <h1>No such trail</h1>
      <p>
        Back to <a href="/">all trails</a>.
      </p>
    </>
  );
}
