// A YAML editor (JSON is YAML) in a shadow root, where CodeMirror's styles are adopted style sheets, which a strict
// Content-Security-Policy allows.
import { autocompletion, completionKeymap, type CompletionSource } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState, StateEffect, StateField } from '@codemirror/state';
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  type DecorationSet,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface PlacedMessage extends Place {
  readonly message: string;
  readonly severity: 'error' | 'warning';
}

export interface Editor {
  readonly text: () => string;
  readonly setText: (text: string) => void;
  readonly showProblems: (problems: readonly PlacedMessage[]) => void;
  /** Marks a line and scrolls to it; with `focus` the cursor goes there too. */
  readonly goTo: (place: Place, focus?: boolean) => void;
}

interface EditorOptions {
  /** Names the editor to a screen reader. */
  readonly label: string;
  readonly onChange: () => void;
  readonly complete?: CompletionSource;
  /** Called with pasted text. Returns the text to insert instead; undefined: the pasted text. */
  readonly onPaste?: (text: string) => string | undefined;
}

const setMarkedLine = StateEffect.define<number | undefined>();

const markedLine = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, transaction) => {
    for (const effect of transaction.effects) {
      if (!effect.is(setMarkedLine)) continue;
      if (effect.value === undefined) return Decoration.none;
      return Decoration.set([Decoration.line({ class: 'marked' }).range(effect.value)]);
    }
    return marks.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

const theme = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'transparent', color: 'inherit', fontSize: '13.5px' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--soft) !important' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--quiet)', border: 'none' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--soft) 45%, transparent)' },
  '.marked': { backgroundColor: 'var(--mark)' },
  '.cm-tooltip': { backgroundColor: 'var(--card)', color: 'var(--text)', border: '1px solid var(--line)' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-diagnostic': { padding: '4px 8px' },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: tags.comment, color: 'var(--quiet)', fontStyle: 'italic' },
  { tag: [tags.bool, tags.number, tags.null], color: 'var(--mark-text)' },
]);

export function createEditor(parent: HTMLElement, { label, onChange, complete, onPaste }: EditorOptions): Editor {
  const host = document.createElement('div');
  parent.append(host);
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(':host { display: block; height: 100%; min-height: 0 } .frame { height: 100% }');
  root.adoptedStyleSheets = [sheet];
  const inner = document.createElement('div');
  inner.className = 'frame';
  root.append(inner);

  const view = new EditorView({
    root,
    parent: inner,
    state: EditorState.create({
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        bracketMatching(),
        highlightActiveLine(),
        markedLine,
        theme,
        syntaxHighlighting(colours),
        yaml(),
        autocompletion(complete === undefined ? { override: [] } : { override: [complete] }),
        // Tab leaves the editor after Escape, as everywhere in CodeMirror.
        keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
        EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
        EditorView.lineWrapping,
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange();
        }),
        EditorView.domEventHandlers({
          paste: (event, target) => {
            const replacement = onPaste?.(event.clipboardData?.getData('text/plain') ?? '');
            if (replacement === undefined) return false;
            event.preventDefault();
            target.dispatch({ changes: { from: 0, to: target.state.doc.length, insert: replacement } });
            return true;
          },
        }),
      ],
    }),
  });

  const lineAt = (line: number) => view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));

  return {
    text: () => view.state.doc.toString(),
    setText: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    showProblems: (problems) => {
      const diagnostics = problems.map(({ line: number, column, message, severity }): Diagnostic => {
        const line = lineAt(number);
        const from = Math.min(line.from + column - 1, line.to);
        return { from, to: Math.max(from, line.to), message, severity };
      });
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
    goTo: ({ line: number, column }, focus = false) => {
      const line = lineAt(number);
      const at = Math.min(line.from + column - 1, line.to);
      view.dispatch({
        effects: [setMarkedLine.of(line.from), EditorView.scrollIntoView(line.from, { y: 'center' })],
        ...(focus && { selection: { anchor: at } }),
      });
      if (focus) view.focus();
    },
  };
}
