// Defines custom elements with functions that are called when an element is added to or removed from the page, also
// inside a shadow tree, and when an attribute changes.

/** Defines the element once; two copies of this module share the first definition. */
export function defineElement(
  tag: string,
  enterOrChange: (element: HTMLElement) => void,
  leave: (element: HTMLElement) => void,
  observedAttributes: readonly string[] = [],
): void {
  if (customElements.get(tag)) return;
  class LifecycleElement extends HTMLElement {
    static readonly observedAttributes = observedAttributes;
    connectedCallback(): void {
      enterOrChange(this);
    }
    attributeChangedCallback(): void {
      enterOrChange(this);
    }
    disconnectedCallback(): void {
      leave(this);
    }
  }
  customElements.define(tag, LifecycleElement);
}
