// SPDX-License-Identifier: GPL-3.0-or-later
// A table that sorts, filters and opens rows, by mouse and by keys. Rows are made when first shown.

const FIRST_ROWS = 80;
const MORE_ROWS = 200;

/**
 * Turn the table of a section into one that answers. `columns` have a label, what compares
 * two items and what shows one; the first one shows the name of the item, which opens its `detail`.
 */
function makeTable(section, { thing, items, columns, chips, sort, descending, detail }) {
  const body = find('tbody', section);
  // A narrow screen gets no boxes in columns. The roles say that this is a table still.
  find('table', section).setAttribute('role', 'table');
  for (const group of [body, find('thead', section)]) {
    group.setAttribute('role', 'rowgroup');
  }
  const status = find('.said', section);
  const state = { sort, descending: Boolean(descending), text: '', chip: '', kind: '' };
  const rows = new Map();
  const heads = new Map();
  let shown = [];
  let drawn = 0;
  let pending = 0;
  let current = null;

  function row(item) {
    let made = rows.get(item.name);
    if (!made) {
      const id = `${section.id}-${item.number ?? item.name}`.replace('/', '-');
      const toggle = element('button', { type: 'button', class: 'toggle', 'aria-expanded': 'false', 'aria-controls': `${id}-detail`, tabindex: '-1', click: () => flip(item) }, columns[0].cell(item));
      const line = element('tr', { role: 'row', class: columns[0].rowClass?.(item) },
        element('th', { scope: 'row', role: 'rowheader' }, toggle),
        columns.slice(1).map((column) => element('td', { class: column.class, role: 'cell', 'data-label': column.plain ? null : column.label }, column.cell(item))));
      made = { line, toggle, id, more: null };
      rows.set(item.name, made);
    }
    return made;
  }

  function flip(item, wanted) {
    const made = row(item);
    const open = wanted ?? made.more === null;
    if (open === (made.more !== null)) {
      return;
    }
    if (open) {
      made.more = element('tr', { class: 'detail', role: 'row', id: `${made.id}-detail` },
        element('td', { colspan: columns.length, role: 'cell' }, element('div', { role: 'region', 'aria-label': `Details of ${item.title ?? item.name}` }, detail(item))));
      made.line.after(made.more);
    } else {
      made.more.remove();
      made.more = null;
    }
    made.toggle.setAttribute('aria-expanded', String(open));
    made.line.classList.toggle('open', open);
  }

  /** Let this row be the one that the tabulator key leads to. */
  function settle(item) {
    if (current) {
      row(current).toggle.tabIndex = -1;
    }
    current = item ?? null;
    if (current) {
      row(current).toggle.tabIndex = 0;
    }
  }

  function append(most) {
    const lines = [];
    for (const item of shown.slice(drawn, drawn + most)) {
      const { line, more } = row(item);
      lines.push(line);
      if (more) {
        lines.push(more);
      }
    }
    drawn = Math.min(shown.length, drawn + most);
    body.append(...lines);
  }

  function goOn() {
    pending = 0;
    append(MORE_ROWS);
    if (drawn < shown.length) {
      pending = setTimeout(goOn);
    }
  }

  function finish() {
    clearTimeout(pending);
    pending = 0;
    append(shown.length);
  }

  function matches(item) {
    return (!state.chip || item.chip === state.chip) && (!state.kind || item.kinds.has(state.kind))
      && (!state.text || item.text.includes(state.text));
  }

  function update() {
    const column = columns.find((one) => one.key === state.sort);
    const direction = state.descending ? -1 : 1;
    shown = items.filter(matches).sort((one, other) =>
      direction * column.compare(one, other) || byName(one, other));
    clearTimeout(pending);
    pending = 0;
    drawn = 0;
    body.replaceChildren();
    append(FIRST_ROWS);
    if (drawn < shown.length) {
      pending = setTimeout(goOn);
    }
    settle(shown.includes(current) ? current : shown[0]);
    for (const [key, head] of heads) {
      head.setAttribute('aria-sort', key !== state.sort ? 'none' : state.descending ? 'descending' : 'ascending');
    }
    const order = `sorted by ${column.by ?? column.label.toLowerCase()}${state.descending ? ', descending' : ''}`;
    status.textContent = shown.length === items.length
      ? `${count(items.length, thing)}, ${order}`
      : `${shown.length.toLocaleString('en')} of ${count(items.length, thing)}, ${order}`;
    clear.hidden = !(state.text || state.chip || state.kind);
    kind.textContent = state.kind ? `Only with ${labels.domainStates[state.kind] ?? words(state.kind)}` : '';
    kind.hidden = !state.kind;
    for (const button of chipButtons) {
      button.setAttribute('aria-pressed', String(button.value === state.chip));
    }
  }

  function sortBy(column) {
    if (state.sort === column.key) {
      state.descending = !state.descending;
    } else {
      state.sort = column.key;
      state.descending = Boolean(column.largestFirst);
    }
    update();
  }

  const search = element('input', { type: 'search', id: `${section.id}-filter`, autocomplete: 'off', spellcheck: 'false', input: () => {
    state.text = search.value.trim().toLowerCase();
    update();
  } });
  const clear = element('button', { type: 'button', class: 'quiet', hidden: true, click: () => {
    reset();
    search.focus();
  } }, 'Show all');
  const kind = element('span', { class: 'kind', hidden: true });
  const chipButtons = chips.map(([value, label, number]) => element('button', {
    type: 'button', value, 'aria-pressed': 'false', class: 'chip', click: () => {
      state.chip = state.chip === value ? '' : value;
      update();
    } }, `${label} ${number.toLocaleString('en')}`));
  const tools = find('.tools', section);
  tools.append(
    element('label', { for: search.id }, `Filter the ${thing}s`), search,
    chips.length > 1 ? element('div', { role: 'group', 'aria-label': 'Only those that are', class: 'chips' }, chipButtons) : '', kind, clear);
  tools.hidden = false;

  find('thead', section).replaceChildren(element('tr', { role: 'row' }, columns.map((column) => {
    const head = element('th', { scope: 'col', role: 'columnheader', class: column.class, 'aria-sort': 'none' },
      element('button', { type: 'button', click: () => sortBy(column) }, column.label));
    heads.set(column.key, head);
    return head;
  })));

  function reset(wanted = '') {
    Object.assign(state, { text: '', chip: '', kind: wanted });
    search.value = '';
    update();
  }

  function move(item) {
    while (shown.indexOf(item) >= drawn) {
      append(MORE_ROWS);
    }
    settle(item);
    row(item).toggle.focus();
  }

  body.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    if (event.key === 'Escape') {
      const line = event.target.closest('tr.detail')?.previousSibling ?? event.target.closest('tr');
      const item = shown.find((one) => rows.get(one.name)?.line === line);
      if (item) {
        flip(item, false);
        move(item);
      }
      return;
    }
    if (!event.target.matches('.toggle')) {
      return;
    }
    const place = shown.findIndex((one) => rows.get(one.name)?.toggle === event.target);
    const target = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (target !== undefined) {
      event.preventDefault();
      move(shown[Math.min(Math.max(target, 0), shown.length - 1)]);
    }
  });
  body.addEventListener('focusin', (event) => {
    if (event.target.matches('.toggle')) {
      settle(shown.find((one) => rows.get(one.name)?.toggle === event.target));
    }
  });
  update();

  return {
    finish,
    search,
    /** Show only items of a kind: a state, or `stuck`, `delivered`, `undelivered`. */
    only: reset,
    /** Open an item, and lead to it. Returns whether there is one of this name. */
    show(name) {
      const item = items.find((one) => one.name === name);
      if (item) {
        if (!shown.includes(item)) {
          reset();
        }
        flip(item, true);
        move(item);
        row(item).line.scrollIntoView({ block: 'start' });
      }
      return Boolean(item);
    },
  };
}
