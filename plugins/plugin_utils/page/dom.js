// SPDX-License-Identifier: GPL-3.0-or-later
// Making elements. Text from hosts and name servers only ever becomes text nodes.

const find = (selector, root = document) => root.querySelector(selector);

/** Make an element: properties are attributes, or handlers where they are functions. */
function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value === 'function') {
      made.addEventListener(name, value);
    } else if (value === true) {
      made.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== ''));
  return made;
}

/** Foreign text, whose direction must not turn what stands beside it. */
const said = (text) => element('bdi', null, String(text));

/** A bar of the states; the text beside it has the same numbers. */
function strip(counts) {
  const total = Object.values(counts).reduce((sum, number) => sum + number, 0);
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of [['class', 'strip'], ['viewBox', '0 0 100 6'], ['preserveAspectRatio', 'none'], ['aria-hidden', 'true']]) {
    svg.setAttribute(name, value);
  }
  let x = 0;
  for (const [state, number] of Object.entries(counts)) {
    if (number) {
      const piece = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
      const width = (100 * number) / total;
      for (const [name, value] of [['class', `s-${state}`], ['x', x], ['y', 0], ['width', width], ['height', 6]]) {
        piece.setAttribute(name, value);
      }
      svg.append(piece);
      x += width;
    }
  }
  return svg;
}

/** `3 hosts`, `1 host`. */
const count = (number, thing) => `${number.toLocaleString('en')} ${thing}${number === 1 ? '' : 's'}`;

/** `2026-11-23T11:45:07Z` as `2026-11-23 11:45:07 UTC`. */
const moment = (stamp) => String(stamp).replace('T', ' ').replace(/Z$/, ' UTC');

/** Seconds as they are, and in the largest unit that they fill. */
function duration(seconds) {
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60]]) {
    if (seconds >= size) {
      return `${seconds} s (${Number((seconds / size).toFixed(1))} ${unit})`;
    }
  }
  return `${seconds} s`;
}

/** The first items, and a button for the rest if there are more. `draw` makes one node of each. */
function limited(container, items, most, draw) {
  container.append(...items.slice(0, most).map(draw));
  if (items.length <= most) {
    return container;
  }
  const more = element('button', { type: 'button', class: 'more', click: () => {
    const rest = items.slice(most).map(draw);
    more.replaceWith(...rest);
    const target = rest[0].querySelector('a, button') ?? rest[0];
    target.tabIndex = target.tabIndex < 0 ? -1 : target.tabIndex;
    target.focus();
  } }, `Show all ${items.length.toLocaleString('en')}`);
  container.append(more);
  return container;
}

const isEmpty = (cell) => (cell?.textContent ?? cell) === '';

/**
 * A table of facts: headings, and rows of cells, the first of which heads its row. A column in which
 * nothing stands is left out. The roles are for narrow screens, where a row is no row of boxes.
 */
function facts(caption, headings, rows) {
  const body = element('tbody', { role: 'rowgroup' });
  const columns = headings.map((label, place) => ({ label, place }))
    .filter(({ place }) => place === 0 || !rows.every((row) => isEmpty(row[place])));
  const draw = (row) => element('tr', { role: 'row' },
    element('th', { scope: 'row', role: 'rowheader' }, row[0]),
    columns.slice(1).map(({ label, place }) => element('td', { role: 'cell', 'data-label': label }, row[place])));
  body.append(...rows.slice(0, 100).map(draw));
  const table = element('table', { class: 'facts', role: 'table' },
    element('caption', null, caption),
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, columns.map(({ label }) => element('th', { scope: 'col', role: 'columnheader' }, label)))),
    body);
  const around = element('div', null, table);
  if (rows.length <= 100) {
    return around;
  }
  const more = element('button', { type: 'button', class: 'more', click: () => {
    body.append(...rows.slice(100).map(draw));
    more.remove();
  } }, `Show all ${rows.length.toLocaleString('en')}`);
  around.append(more);
  return around;
}

/** Names and values; those without a value are left out. */
function list(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '');
  return element('dl', { class: 'facts' },
    known.map(([name, value]) => [element('dt', null, name), element('dd', null, value)]));
}
