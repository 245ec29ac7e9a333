// Creates elements of the page from text, never from markup, because the content was typed or comes from claims; and
// tabs.

type Child = Node | string;

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** An element of index.html. Throws if the page has none of that id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`there is no #${id}`);
  return found;
}

export const asText = (value: unknown): string => JSON.stringify(value) ?? 'nothing';

/** Tabs by the ARIA Authoring Practices: arrow keys move, Home and End jump, one tab stop per list. */
export function connectTabs(list: Element): { readonly select: (id: string) => void } {
  const tabs = [...list.querySelectorAll<HTMLElement>('[role=tab]')];
  const select = (tab: HTMLElement, focus: boolean): void => {
    for (const one of tabs) {
      const isSelected = one === tab;
      one.setAttribute('aria-selected', String(isSelected));
      one.tabIndex = isSelected ? 0 : -1;
      const panel = document.getElementById(one.getAttribute('aria-controls') ?? '');
      if (panel !== null) panel.hidden = !isSelected;
    }
    if (focus) tab.focus();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener('click', () => select(tab, false));
    tab.addEventListener('keydown', ({ key }) => {
      const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[key];
      const target = next === undefined ? undefined : tabs.at(next % tabs.length);
      if (target !== undefined) select(target, true);
    });
  });
  return {
    select: (id) => {
      const tab = tabs.find((one) => one.id === id);
      if (tab !== undefined) select(tab, false);
    },
  };
}
