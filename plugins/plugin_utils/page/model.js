// SPDX-License-Identifier: GPL-3.0-or-later
// The document of the run, and what is counted from it once.

const report = JSON.parse(find('#document').textContent);
const labels = JSON.parse(find('#labels').textContent);
const isAudit = report.run.kind === 'audit' || report.run.kind === 'diagnose';
const proposed = isAudit || report.run.check_mode;
const STATES = Object.keys(labels.domainStates);
const HOST_STATES = Object.keys(labels.hostStates);
const ARRIVED = new Set(['delivered', 'relayed', 'would_send']);
const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const byName = (one, other) => collator.compare(one.name, other.name);

/** An error as its server wrote it: `421 4.3.2 Service not available`. */
const errorText = (error) => [error?.code, error?.enhanced, error?.text].filter(Boolean).join(' ');
const testReason = (test) => errorText(test.error) || test.reason || '';
const words = (status) => status.replaceAll('_', ' ');

/** A host with what the tables sort and filter by. */
function hostItem(entry, number) {
  const counts = {};
  for (const state of STATES) {
    counts[state] = entry.domains[state]?.length ?? 0;
  }
  const tests = entry.tests?.results ?? [];
  const stuck = entry.queue?.stuck ?? [];
  const organisation = entry.organisation === null ? null : report.organisations[entry.organisation];
  const kinds = new Set(STATES.filter((state) => counts[state]));
  if (stuck.length) {
    kinds.add('stuck');
  }
  if (entry.tests?.not_tested) {
    kinds.add('not_tested');
  }
  for (const test of tests) {
    kinds.add(ARRIVED.has(test.verdict) ? 'delivered' : 'undelivered');
  }
  return {
    entry, number, counts, tests, stuck, organisation, kinds,
    name: entry.name,
    chip: entry.state,
    undelivered: tests.filter((test) => !ARRIVED.has(test.verdict)).length,
    text: [entry.name, entry.version, organisation?.name, ...entry.problems].join('\n').toLowerCase(),
  };
}

/** A domain with the number of hosts for each of its states. */
function domainItem(entry, number) {
  const addresses = entry.pairs.map((pair) => pair.address);
  return {
    entry, number, addresses,
    name: entry.name,
    chip: entry.status ?? '',
    kinds: new Set(),
    counts: Object.fromEntries(STATES.map((state) => [state, 0])),
    stuck: 0,
    warnings: (entry.warnings ?? []).length,
    text: [entry.name, ...addresses, ...entry.pairs.map((pair) => pair.exchange),
      ...(entry.warnings ?? []).map((note) => note.message)].join('\n').toLowerCase(),
  };
}

const hosts = report.hosts.map(hostItem);
const domains = report.domains.map(domainItem);
const domainByName = new Map(domains.map((domain) => [domain.name, domain]));

for (const host of hosts) {
  for (const state of STATES) {
    for (const number of host.entry.domains[state] ?? []) {
      domains[number].counts[state] += 1;
      domains[number].kinds.add(state);
    }
  }
  for (const { domain } of host.stuck) {
    const known = domainByName.get(domain);
    if (known) {
      known.stuck += 1;
      known.kinds.add('stuck');
    }
  }
  for (const test of host.tests) {
    domains[test.domain].kinds.add(ARRIVED.has(test.verdict) ? 'delivered' : 'undelivered');
  }
}

/** Send connectors of all organisations, each with the organisation that has it. */
const connectors = report.organisations.flatMap((organisation, number) =>
  organisation.connectors.map((entry, place) => ({
    entry, organisation,
    name: `${number}/${place}`,
    title: entry.name,
    chip: entry.action ?? 'none',
    kinds: new Set(),
    text: [entry.name, organisation.name, ...entry.domains, ...((entry.after ?? entry.before)?.smart_hosts ?? [])]
      .join('\n').toLowerCase(),
  })));

/** The states of a host's domains, or of a domain on its hosts, in words. */
function statesText(counts) {
  const parts = STATES.filter((state) => counts[state])
    .map((state) => `${counts[state].toLocaleString('en')} ${labels.domainStates[state]}`.replaceAll(' ', '\u00a0'));
  return parts.join(', ') || 'none';
}

/** The results of a host's test messages, in words. */
function testText(host) {
  const tests = host.entry.tests;
  if (!tests) {
    return 'none';
  }
  if (tests.failure) {
    return 'failed';
  }
  const verdicts = new Map();
  for (const { verdict } of tests.results) {
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  }
  if (tests.not_tested) {
    verdicts.set('not_tested', tests.not_tested);
  }
  return [...verdicts].map(([verdict, number]) => `${number} ${words(verdict)}`).join(', ') || 'none';
}

/** The registry value: `DisableResolverSearchList REG_DWORD 1`. */
const valueText = (value) => (value ? `${value.name} ${value.type} ${value.data}` : 'DisableResolverSearchList (absent)');

/** The lines of two lists as a diff: pairs of a mark and a line, in order (longest common part). */
function difference(before, after) {
  const lengths = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = before[i] === after[j]
        ? lengths[i + 1][j + 1] + 1
        : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push([' ', before[i]]);
      i += 1;
      j += 1;
    } else if (j >= after.length || (i < before.length && lengths[i + 1][j] >= lengths[i][j + 1])) {
      lines.push(['-', before[i]]);
      i += 1;
    } else {
      lines.push(['+', after[j]]);
      j += 1;
    }
  }
  return lines;
}
