// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the page: which one is seen, the tables in them, what the answer leads to.

const byNumber = (value) => (one, other) => value(one) - value(other);
const byText = (value) => (one, other) => collator.compare(value(one), value(other));
const notRight = (item) => STATES.reduce((sum, state) =>
  sum + (state === 'up_to_date' || state === 'kept' ? 0 : item.counts[state]), 0);
const badge = (verdict, text) => element('span', { class: `badge v-${verdict}` }, text);
const statesCell = (item) => [strip(item.counts), element('span', { class: 'told' }, statesText(item.counts))];

function chipsOf(items, order, names) {
  return order.map((value) => [value, names[value] ?? value, items.filter((item) => item.chip === value).length])
    .filter(([, , number]) => number);
}

const serviceText = ({ service }) => {
  if (!service) {
    return '';
  }
  const state = service.to_restart ? 'restart pending' : service.restarted ? 'restarted' : service.restart_required ? 'restart required' : '';
  return state || service.state || '';
};
const switchText = ({ switch: value }) =>
  (!value ? '' : value.changed ? (proposed ? 'pending' : 'changed') : 'up to date');

const OLD = hosts.some((host) => host.entry.family !== 'transport');
const hostColumns = [
  { key: 'name', label: 'Host', cell: (host) => said(host.name), compare: byName, rowClass: (host) => `o-${host.entry.verdict}` },
  { key: 'state', plain: true, label: 'State', cell: (host) => badge(host.entry.state, labels.hostStates[host.entry.state]), compare: byNumber((host) => HOST_STATES.indexOf(host.entry.state)) },
  { key: 'version', label: 'Exchange', by: 'version of Exchange', class: 'less', cell: (host) => said(host.entry.version ?? labels.families[host.entry.family] ?? 'unknown'), compare: byText((host) => String(host.entry.version ?? '')) },
  { key: 'domains', plain: true, label: 'Domains', by: 'domains not up to date', cell: statesCell, compare: byNumber(notRight), largestFirst: true },
  { key: 'switch', when: OLD, label: 'Search list', class: 'less', cell: (host) => switchText(host.entry), compare: byText((host) => switchText(host.entry)) },
  { key: 'service', when: OLD, label: 'Service', class: 'less', cell: (host) => said(serviceText(host.entry)), compare: byText((host) => serviceText(host.entry)) },
  { key: 'tests', when: !isAudit, label: 'Test messages', class: 'less', cell: (host) => testText(host), compare: byNumber((host) => host.undelivered * 1e6 + host.tests.length), largestFirst: true },
  { key: 'stuck', when: hosts.some((host) => host.entry.queue), label: 'Delayed', class: 'number', cell: (host) => (host.entry.queue ? String(host.stuck.length) : ''), compare: byNumber((host) => host.stuck.length), largestFirst: true },
].filter((column) => column.when ?? true);
const domainColumns = [
  { key: 'name', label: 'Domain', cell: (domain) => said(domain.name), compare: byName },
  { key: 'status', plain: true, label: 'Status', cell: (domain) => badge(domain.entry.status === 'ok' ? 'clean' : 'unknown', labels.statuses[domain.entry.status] ?? 'not asked'), compare: byNumber((domain) => -Object.keys(labels.statuses).indexOf(domain.entry.status)) },
  { key: 'pairs', label: 'Addresses', by: 'number of addresses', class: 'less', cell: (domain) => [said(domain.addresses.slice(0, 3).join(', ')), domain.addresses.length > 3 ? ` and ${domain.addresses.length - 3} more` : ''], compare: byNumber((domain) => domain.addresses.length), largestFirst: true },
  { key: 'ttl', label: 'TTL', by: 'TTL', class: 'less number', cell: (domain) => (domain.entry.ttl === null || domain.entry.ttl === undefined ? '' : `${domain.entry.ttl} s`), compare: byNumber((domain) => domain.entry.ttl ?? Infinity) },
  { key: 'warnings', label: 'Warnings', class: 'number', cell: (domain) => String(domain.warnings), compare: byNumber((domain) => domain.warnings), largestFirst: true },
  { key: 'hosts', plain: true, label: 'On hosts', by: 'domains not up to date', cell: statesCell, compare: byNumber(notRight), largestFirst: true },
  { key: 'stuck', when: hosts.some((host) => host.entry.queue), label: 'Delayed', class: 'number', cell: (domain) => String(domain.stuck), compare: byNumber((domain) => domain.stuck), largestFirst: true },
].filter((column) => column.when ?? true);
const smartHosts = (side) => (side?.smart_hosts ?? []).map((host) => host.replace(/^\[|\]$/g, '')).join(', ');
const ACTIONS = { create: ['created', 'to create'], change: ['changed', 'to change'], remove: ['removed', 'to remove'], none: ['up to date', 'up to date'] };
const actionText = (connector) => ACTIONS[connector.chip][Number(proposed)];
const connectorColumns = [
  { key: 'name', label: 'Connector', cell: (connector) => said(connector.title), compare: byText((connector) => connector.title) },
  { key: 'domain', label: 'Domain', class: 'long', cell: (connector) => said(connector.entry.domains.join(', ')), compare: byText((connector) => connector.entry.domains.join()) },
  { key: 'hosts', label: 'Smart hosts', class: 'less long', cell: ({ entry }) => said(smartHosts(entry.after ?? entry.before)), compare: byText(({ entry }) => smartHosts(entry.after ?? entry.before)) },
  { key: 'organisation', label: 'Organisation', class: 'less long', cell: (connector) => said(connector.organisation.name), compare: byText((connector) => connector.organisation.name) },
  { key: 'action', plain: true, label: 'State', cell: (connector) => badge(!connector.entry.action ? 'clean' : proposed ? 'would_change' : 'changed', actionText(connector)), compare: byText(actionText), largestFirst: true },
];

const tables = {
  host: makeTable(find('#hosts'), { thing: 'host', items: hosts, columns: hostColumns, sort: 'state', detail: hostDetail, chips: chipsOf(hosts, HOST_STATES, labels.hostStates) }),
  domain: makeTable(find('#domains'), { thing: 'domain', items: domains, columns: domainColumns, sort: 'hosts', descending: true, detail: domainDetail, chips: chipsOf(domains, Object.keys(labels.statuses), labels.statuses) }),
  connector: makeTable(find('#connectors'), { thing: 'connector', items: connectors, columns: connectorColumns, sort: 'action', descending: true, detail: connectorDetail, chips: chipsOf(connectors, Object.keys(ACTIONS), Object.fromEntries(Object.entries(ACTIONS).map(([key, both]) => [key, both[Number(proposed)]]))) }),
};

/** The hosts that this run changed, with the user and their backups. */
function changed() {
  const done = hosts.filter((host) => host.entry.state === 'changed' || host.entry.backup);
  if (proposed) {
    return element('p', null, 'This run was read-only.');
  }
  if (!done.length) {
    return element('p', null, 'No changes were made.');
  }
  const by = report.run.by.awx?.user ?? report.run.by.login ?? 'unknown user';
  return facts(['Changed by ', said(by)], ['Host', 'What', 'Backup'], done.map((host) => {
    const own = connectors.filter((one) => one.entry.by === host.name && one.organisation === host.organisation);
    const what = [
      host.entry.switch?.changed ? 'search list switch' : '',
      host.entry.changes.length ? `routes of ${count(host.entry.changes.length, 'domain')}` : '',
      own.length ? count(own.length, 'Send connector') : '',
      host.organisation?.external_dns.some((one) => one.by === host.name) ? 'external DNS' : '',
      host.entry.service?.restarted ? 'service restarted' : '',
    ].filter(Boolean).join(', ');
    return [hostLink(host.name), what, said(host.entry.backup ?? 'none')];
  }));
}
find('#changed').append(changed());

const parts = [['hosts', `Hosts ${hosts.length}`], ['domains', `Domains ${domains.length}`],
  ...(connectors.length ? [['connectors', `Send connectors ${connectors.length}`]] : []), ['run', 'This run']];
const navigation = find('#sections');
navigation.append(element('ul', null, parts.map(([id, label]) =>
  element('li', null, element('a', { href: `#${id}` }, label)))));
navigation.hidden = false;
document.documentElement.classList.add('drawn');

const PART_OF = { host: 'hosts', domain: 'domains', connector: 'connectors' };

/** Show the part that the address names after its `#`, and open what it names in it. */
function route() {
  const [first, name] = location.hash.slice(1).split(/\/(.*)/);
  const wanted = PART_OF[first] ?? first;
  const id = parts.some(([known]) => known === wanted) ? wanted : 'hosts';
  for (const [known] of parts) {
    find(`#${known}`).hidden = known !== id;
    const link = find(`a[href="#${known}"]`, navigation);
    if (known === id) {
      link.setAttribute('aria-current', 'page');
    } else {
      link.removeAttribute('aria-current');
    }
  }
  if (name && tables[first]) {
    let decoded = name;
    try {
      decoded = decodeURIComponent(name);
    } catch {
      return; // an address that somebody cut
    }
    tables[first].show(decoded);
  }
}
addEventListener('hashchange', route);

/** Each number of the answer leads to the hosts that it counts. */
for (const tile of document.querySelectorAll('.tile[data-state]')) {
  const { state } = tile.dataset;
  const button = element('button', { type: 'button', click: () => {
    tables.host.only(state);
    if (location.hash !== '#hosts') {
      location.hash = '#hosts';
    }
    find('#hosts').hidden = false;
    tables.host.search.focus();
    find('#hosts').scrollIntoView();
  } }, ...tile.childNodes);
  tile.append(button);
}

addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.target.matches('input')) {
    const table = Object.entries(PART_OF).find(([, id]) => !find(`#${id}`).hidden);
    if (table) {
      event.preventDefault();
      tables[table[0]].search.focus();
    }
  }
});

/** On paper everything is there, also what was to be opened. */
const notices = find('.notices');
let noticesOpen = false;
addEventListener('beforeprint', () => {
  Object.values(tables).forEach((table) => table.finish());
  if (notices) {
    noticesOpen = notices.open;
    notices.open = true;
  }
});
addEventListener('afterprint', () => {
  if (notices) {
    notices.open = noticesOpen;
  }
});

const THEMES = { auto: 'Colours: as the system', light: 'Colours: light', dark: 'Colours: dark' };
const themeButton = find('#theme');

/** What the reader chose stays with this browser, where it lets a page keep something. */
const kept = {
  get: () => {
    try {
      return localStorage.getItem('postmaster.exchange.theme');
    } catch {
      return null;
    }
  },
  set: (value) => {
    try {
      localStorage.setItem('postmaster.exchange.theme', value);
    } catch {
      // then it holds until the page is closed
    }
  },
};

function paint(theme) {
  document.documentElement.dataset.theme = theme;
  themeButton.textContent = THEMES[theme];
}
paint(THEMES[kept.get()] ? kept.get() : 'auto');
themeButton.hidden = false;
themeButton.addEventListener('click', () => {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
  kept.set(next);
  paint(next);
});
route();
