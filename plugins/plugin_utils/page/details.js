// SPDX-License-Identifier: GPL-3.0-or-later
// The details that open below a row: of one host, domain or connector.

const MOST = 50;
const CONNECTOR_FACTS = {
  address_spaces: 'address space', smart_hosts: 'smart host', dns_routing: 'DNS routing',
  authentication: 'authentication', port: 'port', enabled: 'enabled', source_servers: 'source server',
  require_tls: 'require TLS', tls_auth_level: 'TLS level', tls_domain: 'TLS domain',
  protocol_logging: 'protocol logging', comment: 'comment',
};

const domainLink = (name) => element('a', { href: `#domain/${encodeURIComponent(name)}` }, said(name));
const hostLink = (name) => element('a', { href: `#host/${encodeURIComponent(name)}` }, said(name));
const connectorLink = (connector) =>
  element('a', { href: `#connector/${encodeURIComponent(connector.name)}` }, said(connector.title));

/** A titled part of a detail; nothing where there is nothing in it. */
function part(title, ...children) {
  const there = children.flat(2).filter(Boolean);
  return there.length ? element('section', { class: 'piece' }, element('h3', null, title), there) : null;
}

/** Lines of a diff, marked by sign and by colour. */
function diff(title, lines) {
  const drawn = lines.map(([mark, line]) =>
    element({ '-': 'del', '+': 'ins' }[mark] ?? 'span', { class: 'line' }, `${mark} `, said(line)));
  return element('div', { class: 'diff' }, title ? element('p', null, title) : null, element('pre', null, drawn));
}

function hostDetail(host) {
  const { entry } = host;
  return [
    hostTrouble(entry),
    hostFacts(host),
    hostChanges(host),
    hostQueue(host),
    hostCauses(host), hostTests(host), hostUnproved(host),
    hostSearchList(host),
    hostDomains(host),
    entry.warnings.length ? part('Warnings', element('ul', null, entry.warnings.map((text) => element('li', null, said(text))))) : null,
  ];
}

function hostTrouble(entry) {
  if (!entry.problems.length) {
    return null;
  }
  const left = entry.left && element('p', null, entry.left.rolled_back
    ? 'All changes were rolled back.'
    : `The state of the host: ${words(entry.left.state ?? 'unknown')}.`);
  return part('Action required', element('ul', { class: 'problems' }, entry.problems.map((text) => element('li', null, said(text)))), left);
}

function hostFacts(host) {
  const { entry, organisation } = host;
  const service = entry.service ?? {};
  const state = service.to_restart ? 'restart pending' : service.restarted ? 'restarted'
    : service.restart_required ? 'restart required' : '';
  return list([
    ['Exchange', said(entry.version ?? labels.families[entry.family] ?? 'unknown version')],
    ['Organisation', organisation && said(organisation.name)],
    ['External DNS', externalDns(host).length > 0 && said(externalDns(host).map((one) => `${one.kind} ${one.name}: ${dnsText(one.after)}`).join('; '))],
    ['Service', [service.state, state].filter(Boolean).join(', ')],
    ['Registry value', entry.switch && said(valueText(entry.switch.after))],
    ['Limit', entry.limit && said(entry.limit.text)],
    ['Backup', entry.backup && said(entry.backup)],
    ['Domains', statesText(host.counts)],
  ]);
}

const externalDns = (host) => host.organisation?.external_dns ?? [];

/** Whom a server asks for names, or whether a connector uses external DNS. */
function dnsText(value) {
  if (typeof value === 'boolean') {
    return value ? 'external DNS' : 'DNS of the server';
  }
  return value.adapter_enabled ? 'those of the adapter' : value.servers.join(', ') || 'none';
}

function hostChanges(host) {
  const { entry } = host;
  const made = [];
  if (entry.switch?.changed) {
    made.push(diff('MSExchangeIMC Parameters', difference([valueText(entry.switch.before)], [valueText(entry.switch.after)])));
  }
  const draw = (number) => {
    const change = report.changes[number];
    const title = change.domain === null ? 'Malformed rows' : domainLink(report.domains[change.domain].name);
    return diff(title, difference(change.before, change.after));
  };
  if (entry.changes.length) {
    made.push(limited(element('div', { class: 'diffs' }), entry.changes, MOST, draw));
  }
  const own = connectors.filter((one) => one.entry.action && one.organisation === host.organisation
    && (proposed || one.entry.by === entry.name));
  if (own.length) {
    made.push(limited(element('ul'), own, MOST, (one) =>
      element('li', null, `${actionText(one)}: the Send connector `, connectorLink(one))));
  }
  const settings = externalDns(host).filter((one) => one.changed && (proposed || one.by === entry.name));
  if (settings.length) {
    made.push(limited(element('ul'), settings, MOST, (one) =>
      element('li', null, said(`external DNS of the ${one.kind} ${one.name}: ${dnsText(one.before)} → ${dnsText(one.after)}`))));
  }
  if (entry.worksheet.length) {
    made.push(facts('Rows to enter or remove by hand, because imccopy is missing', ['Domain', 'Address', 'What'],
      entry.worksheet.map((row) => [domainLink(row.domain), said(row.address ?? ''), said(row.action)])));
  }
  const title = entry.state === 'refused' ? 'Pending changes'
    : proposed ? 'Pending changes' : 'Changes of this run';
  return part(title, made);
}

function hostQueue(host) {
  const { queue } = host.entry;
  if (!queue) {
    return null;
  }
  if (queue.failure) {
    return part('Queue', element('p', null, said(queue.failure)));
  }
  const title = `Queue: ${count(queue.messages ?? 0, 'message')}`;
  const rows = host.stuck.map((one) => [
    domainByName.has(one.domain) ? domainLink(one.domain) : said(one.domain),
    String(one.messages ?? ''), one.oldest ? moment(one.oldest) : '', said(errorText(one.error)),
    one.listed ? 'listed' : 'not listed']);
  const away = queue.out_of_sight.length
    ? element('p', null, 'Not seen from here: the queues of ', said(queue.out_of_sight.join(', ')), ' (Edge Transport).') : null;
  return part(title, rows.length ? facts('Delayed', ['Domain', 'Messages', 'Since', 'Last error', 'In the list of domains'], rows) : element('p', null, 'No mail is delayed.'), away);
}

function hostTests(host) {
  const { tests } = host.entry;
  if (!tests) {
    return null;
  }
  const rows = host.tests.map((test) => [
    domainLink(report.domains[test.domain].name), verdictBadge(test),
    test.time ? moment(test.time) : '', test.seconds === null ? '' : `${test.seconds} s`, said(testReason(test)),
    said(test.message_id ?? '')]);
  return part('Test messages',
    tests.failure ? element('p', null, said(tests.failure)) : null,
    rows.length ? facts('Results', ['Domain', 'Result', 'Time', 'After', 'Response', 'Message-ID'], rows) : null,
    tests.not_tested ? element('p', null, `${count(tests.not_tested, 'more domain')} not tested because of a limit.`) : null,
    tests.retried ? element('p', null, `Queued mail of ${count(tests.retried, 'domain')} was retried.`) : null);
}

/** Why mail is delayed, and what to type, in the report of a diagnosis. */
function hostCauses(host) {
  const rows = (host.entry.diagnosis ?? []).flatMap(({ domain, causes }) => causes.map((cause) => [
    domainByName.has(domain) ? domainLink(domain) : said(domain),
    words(cause.code), cause.confidence ?? 'unknown', said([cause.text, ...cause.evidence].join(' ')),
    said([cause.next_step, cause.alternative].filter(Boolean).join(' ')),
    cause.commands.map((one) => element('div', null, element('code', null, said(one.command))))]));
  return rows.length ? part('Why mail is delayed', facts('Causes', ['Domain', 'Cause', 'Confidence', 'Evidence', 'Next step', 'Commands'], rows)) : null;
}

function hostUnproved(host) {
  const rows = host.entry.unproved.map((one) => [
    domainLink(report.domains[one.domain].name), one.since ? moment(one.since) : '', said(one.run ?? ''),
    one.verdict ? words(one.verdict) : 'not tested', said(one.reason ?? ''), said(one.backup ?? '')]);
  return rows.length ? part('Changed, not proved',
    element('p', null, 'No test message has been delivered since these changes. The next enforce tests them.'),
    facts('Changes without proof', ['Domain', 'Changed', 'Run', 'Last test', 'Response', 'Backup'], rows)) : null;
}

const verdictBadge = (test) =>
  element('span', { class: `badge ${ARRIVED.has(test.verdict) ? 'v-clean' : 'v-failed'}` }, words(test.verdict));

function hostSearchList(host) {
  const found = host.entry.search_list;
  if (!found) {
    return null;
  }
  const numbers = Object.values(host.entry.domains).flat();
  const rows = numbers.flatMap((number) => (report.domains[number].warnings ?? [])
    .filter((note) => note.code === 'search_list_hijack' && found.suffixes.includes(note.suffix))
    .map((note) => [said(note.name), said(note.answer), said(note.suffix)]));
  return part('Search list',
    element('p', null, !found.suffixes.length ? 'Nothing is appended to names.'
      : found.disabled ? ['The service is set not to append ', said(found.suffixes.join(', ')), ' to names (Q150969).']
        : host.entry.family === 'imc' && found.disabled === false ? ['The service appends ', said(found.suffixes.join(', ')), ' to names (Q150969).']
          : ['Windows may append ', said(found.suffixes.join(', ')), '.']),
    rows.length ? facts(found.disabled ? 'Names that would be misrouted with a suffix' : 'Names that are misrouted with a suffix', ['Name', 'Answer', 'Suffix'], rows) : null);
}

/** Why a domain is kept or refused on a host. */
function reasonText({ reasons }, number) {
  const code = Object.keys(reasons).find((one) => reasons[one].includes(number));
  return code ? ` (${labels.reasons[code] ?? words(code)})` : '';
}

function hostDomains(host) {
  return part('Domains', STATES.filter((state) => host.counts[state]).map((state) => {
    const items = element('ul', { class: 'names' });
    const numbers = host.entry.domains[state];
    const details = element('details', { toggle: () => {
      if (details.open && !items.childNodes.length) {
        limited(items, numbers, 4 * MOST, (number) => element('li', null, domainLink(report.domains[number].name), reasonText(host.entry, number)));
      }
    } }, element('summary', null, element('span', { class: `dot s-${state}`, 'aria-hidden': 'true' }), `${numbers.length.toLocaleString('en')} ${labels.domainStates[state]}`), items);
    return details;
  }));
}

function domainDetail(domain) {
  const { entry } = domain;
  return [
    list([
      ['Note', entry.note && said(entry.note)],
      ['Status', said(labels.statuses[entry.status] ?? 'not asked')],
      ['Time to live', entry.ttl === null || entry.ttl === undefined ? '' : duration(entry.ttl)],
      ['Valid until', entry.valid_until && moment(entry.valid_until)],
      ['Implicit MX', entry.implicit_mx ? 'yes: without an MX record, the domain is its own mail server (RFC 5321)' : ''],
    ]),
    entry.pairs.length ? part('Addresses', pairTable('In order of preference', entry.pairs)) : null,
    moved(entry),
    entry.warnings?.length ? part('Warnings', element('ul', null, entry.warnings.map(warning))) : null,
    entry.failures?.length ? part('Failed DNS queries', facts('Queries', ['Name', 'Type', 'Name server', 'Answer'],
      entry.failures.map((one) => [said(one.name), one.type, said(one.nameserver), said(`${words(one.kind ?? '')}: ${one.message}`)]))) : null,
    entry.views?.length ? part('Answers of each name server', entry.views.map((view) =>
      pairTable([said(view.nameserver), `: ${labels.statuses[view.status] ?? view.status}`], view.pairs))) : null,
    evidence(entry.evidence),
    domainHosts(domain),
  ];
}

const pairTable = (caption, pairs) => facts(caption, ['Address', 'Mail server', 'Preference', 'TTL'],
  pairs.map((pair) => [said(pair.address), said(pair.exchange ?? ''), String(pair.preference ?? ''), pair.ttl === null ? '' : duration(pair.ttl)]));

function moved({ moved: both }) {
  if (!both) {
    return null;
  }
  const lines = (side) => (side.pairs.length ? side.pairs.map((pair) => `${pair.preference} ${pair.exchange} ${pair.address}`)
    : [words(side.status ?? 'unknown')]);
  return part('DNS has changed since the lock file', diff('', difference(lines(both.lock), lines(both.live))));
}

function warning(note) {
  const hijacked = note.code === 'search_list_hijack'
    ? hosts.filter(({ entry: { search_list: found } }) => found?.suffixes.includes(note.suffix) && !found.disabled) : [];
  return element('li', null, said(note.message),
    hijacked.length ? element('p', null, `May be appended by ${count(hijacked.length, 'host')}: `,
      hijacked.slice(0, 10).map((host) => [hostLink(host.name), ' ']), hijacked.length > 10 ? '…' : '') : null);
}

function evidence(found) {
  if (!found?.authentic && !found?.aaaa_not_asked?.length) {
    return null;
  }
  return part('Evidence', list([
    ['DNSSEC', found.authentic ? 'authenticated by the name server (AD)' : ''],
    ['AAAA not asked', (found.aaaa_not_asked || []).join(', ')],
  ]));
}

function domainHosts(domain) {
  const pieces = STATES.filter((state) => domain.counts[state]).map((state) => {
    const items = element('ul', { class: 'names' });
    const details = element('details', { toggle: () => {
      if (details.open && !items.childNodes.length) {
        const found = hosts.filter((host) => host.entry.domains[state]?.includes(domain.number));
        limited(items, found, 4 * MOST, (host) => element('li', null, hostLink(host.name)));
      }
    } }, element('summary', null, element('span', { class: `dot s-${state}`, 'aria-hidden': 'true' }), `${labels.domainStates[state]} on ${count(domain.counts[state], 'host')}`), items);
    return details;
  });
  const tests = hosts.flatMap((host) => host.tests.filter((test) => test.domain === domain.number).map((test) => [host, test]));
  const stuck = domain.stuck ? hosts.flatMap((host) => host.stuck.filter((one) => one.domain === domain.name).map((one) => [host, one])) : [];
  return [
    part('Hosts', pieces),
    stuck.length ? part('Delayed mail', facts('In the queues of', ['Host', 'Messages', 'Since', 'Last error'],
      stuck.map(([host, one]) => [hostLink(host.name), String(one.messages ?? ''), one.oldest ? moment(one.oldest) : '', said(errorText(one.error))]))) : null,
    tests.length ? part('Test messages', facts('By host', ['Host', 'Result', 'Time', 'After', 'Response'],
      tests.map(([host, test]) => [hostLink(host.name), verdictBadge(test), test.time ? moment(test.time) : '', test.seconds === null ? '' : `${test.seconds} s`, said(testReason(test))]))) : null,
  ];
}

function connectorDetail({ entry, organisation }) {
  const lines = (side) => Object.entries(CONNECTOR_FACTS).flatMap(([key, label]) => {
    const value = side?.[key];
    const several = Array.isArray(value) ? value : value === undefined ? [] : [value];
    return several.map((one) => `${label}: ${one === true ? 'yes' : one === false ? 'no' : one}`);
  });
  const before = entry.action ? lines(entry.before) : lines(entry.after);
  return [
    list([
      ['Organisation', said(organisation.name)],
      ['Hosts of this run', String(organisation.hosts.length)],
      [proposed ? 'Found by' : 'Changed by', entry.by && hostLink(entry.by)],
    ]),
    part(entry.action ? 'Change' : 'Settings', diff('', difference(before, lines(entry.after)))),
  ];
}
