// From the text of a *.policy-test.yaml file to its tests, strictly: an unknown key or a wrong type is a problem with
// its position, for a test that is silently not run is worse than none.
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLMap } from 'yaml';
import type { Claims } from '../../authn/principal.ts';
import { ConfigurationError } from '../../problem.ts';
import { createPolicyTestReader, type Member, type PolicyTestReader } from './policy-test-reader.ts';

export interface ExpectedDenial {
  readonly reason?: string;
  readonly code?: string;
  readonly claim?: string;
  readonly message?: string;
}

export type Expectation =
  { readonly kind: 'request'; readonly body: unknown } | { readonly kind: 'denied'; readonly denial: ExpectedDenial };

export interface PolicyTest {
  readonly name: string;
  /** `file:line:column` of the test. */
  readonly position: string;
  readonly claims: Claims;
  /** What the browser would name; absent: the default data app. */
  readonly dataApp?: string;
  readonly expectation: Expectation;
}

export interface PolicyTestDocument {
  /** The file's name as it was given. */
  readonly file: string;
  /** The policy it is about, relative to the file, if it says so. */
  readonly policy?: string;
  readonly tests: readonly PolicyTest[];
}

/** Test files are written by hand; beyond this something else was named by mistake. */
const maxCharacters = 1_048_576;
const maxAliases = 1_000;

const fileKeys = ['policy', 'claims', 'tests'];
const testKeys = ['name', 'claims', 'without', 'dataApp', 'expect'];
const denialKeys = ['reason', 'code', 'claim', 'message'] as const;

function readDenial(reader: PolicyTestReader, member: Member): Expectation | undefined {
  const { value } = member;
  if (isScalar(value) && value.value === true) return { kind: 'denied', denial: {} };
  if (isScalar(value) && typeof value.value === 'string') return { kind: 'denied', denial: { reason: value.value } };
  if (!isMap(value)) {
    return reader.report(
      value ?? member.key,
      'denied says nothing',
      'Write a reason, { reason, message, claim } or true',
    );
  }
  const members = reader.members(value, denialKeys);
  const denial: { [key in (typeof denialKeys)[number]]?: string } = {};
  for (const key of denialKeys) {
    const text = reader.text(members.get(key), key);
    if (text !== undefined) denial[key] = text;
  }
  return { kind: 'denied', denial };
}

function readExpectation(reader: PolicyTestReader, test: YAMLMap, member: Member | undefined): Expectation | undefined {
  if (member === undefined) return reader.report(test, 'the test expects nothing', 'Add expect with request or denied');
  if (isScalar(member.value) && member.value.value === 'denied') return { kind: 'denied', denial: {} };
  if (!isMap(member.value)) {
    return reader.report(member.value ?? member.key, 'expect is not a mapping', 'Write request or denied below it');
  }
  const known = reader.problems.length;
  const members = reader.members(member.value, ['request', 'denied']);
  const request = members.get('request');
  const denied = members.get('denied');
  if ((request === undefined) === (denied === undefined)) {
    if (members.size === 0 && reader.problems.length > known) return undefined;
    return reader.report(member.value, 'expect needs either request or denied', 'Keep exactly one of the two');
  }
  if (denied !== undefined) return readDenial(reader, denied);
  if (!isMap(request?.value)) {
    return reader.report(
      request?.value ?? member.key,
      'request is not a mapping',
      'Write the whole body that would be sent',
    );
  }
  return { kind: 'request', body: reader.toJs(request.value) };
}

function readTest(reader: PolicyTestReader, node: unknown, base: Claims): PolicyTest | undefined {
  if (!isMap(node)) return reader.report(node as Node, 'a test is not a mapping', 'Write name, claims and expect');
  const members = reader.members(node, testKeys);
  const name = reader.text(members.get('name'), 'name');
  if (!members.has('name')) reader.report(node, 'the test has no name', 'Add name: what it shows, as a sentence');
  const dataApp = reader.text(members.get('dataApp'), 'dataApp');
  const claims: Record<string, unknown> = { ...base, ...reader.claims(members.get('claims')) };
  for (const absent of reader.names(members.get('without'))) {
    if (!Object.hasOwn(claims, absent)) {
      reader.report(members.get('without')?.value, 'without names a claim that is not there', 'Remove or correct it');
    }
    Reflect.deleteProperty(claims, absent);
  }
  const expectation = readExpectation(reader, node, members.get('expect'));
  if (name === undefined || expectation === undefined) return undefined;
  const position = reader.position(node.range?.[0]);
  return { name, position, claims, ...(dataApp === undefined ? {} : { dataApp }), expectation };
}

/**
 * Reads a file of policy tests: `{ policy?, claims?, tests }`, a list of tests, or one test.
 * Throws ConfigurationError with all problems, each at `file:line:column`.
 */
export function loadPolicyTests({ text, file }: { readonly text: string; readonly file: string }): PolicyTestDocument {
  if (text.length > maxCharacters) {
    throw new ConfigurationError([{ where: file, what: 'is larger than 1 MiB', mend: 'Name a file of policy tests' }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: false, uniqueKeys: true, prettyErrors: false });
  const reader = createPolicyTestReader(file, lines, document, maxAliases);
  for (const error of document.errors) {
    reader.problems.push({
      where: reader.position(error.pos[0]),
      what: `is not YAML (${error.message})`,
      mend: 'Mend the syntax',
    });
  }
  if (reader.problems.length > 0) throw new ConfigurationError(reader.problems);

  const tests: PolicyTest[] = [];
  let policy: string | undefined;
  const root = document.contents;
  const add = (nodes: readonly unknown[], base: Claims): void => {
    if (nodes.length === 0) reader.report(root, 'there are no tests', 'Write at least one');
    for (const node of nodes) {
      const test = readTest(reader, node, base);
      if (test !== undefined) tests.push(test);
    }
  };
  if (isSeq(root)) add(root.items, {});
  else if (isMap(root) && root.has('name') && !root.has('tests')) add([root], {});
  else if (isMap(root)) {
    const members = reader.members(root, fileKeys);
    policy = reader.text(members.get('policy'), 'policy');
    const list = members.get('tests');
    if (isSeq(list?.value)) add(list.value.items, reader.claims(members.get('claims')));
    else reader.report(list?.key ?? root, 'there is no list of tests', 'Add tests: with a list of tests below it');
  } else reader.report(root, 'there are no tests', 'Write tests: with a list of tests below it');
  if (reader.problems.length > 0) throw new ConfigurationError(reader.problems);
  return { file, ...(policy === undefined ? {} : { policy }), tests };
}
