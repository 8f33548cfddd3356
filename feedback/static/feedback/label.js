'use strict';
/* The labelling page made fast. Everything here is a convenience: without it each button still does its work. */
{
    const page = document.querySelector('[data-labelling]');
    const form = page.querySelector('[data-label-form]');

    const isTyping = (target) => target.matches('input, textarea, select') || target.isContentEditable;

    const press = (selector) => {
        const target = document.querySelector(selector);
        target?.click();
        return Boolean(target);
    };

    document.addEventListener('keydown', (event) => {
        if (event.defaultPrevented || event.isComposing) {
            return;
        }
        if (event.key === 'Escape' && isTyping(event.target)) {
            event.target.blur();
            return;
        }
        if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) {
            return;
        }
        let isDone = false;
        if (/^[1-4]$/.test(event.key)) {
            isDone = press(`[data-label-form] [data-key="${event.key}"]`);
        } else if (event.key === 's') {
            isDone = press('[data-skip]');
        } else if (event.key === 'u') {
            isDone = press('[data-take-back] button');
        }
        if (isDone) {
            event.preventDefault();
        }
    });

    let isSending = false;
    form.addEventListener('submit', (event) => {
        if (isSending) {
            event.preventDefault(); // A second press of an impatient finger.
        }
        isSending = true;
    });
    window.addEventListener('pageshow', () => {
        isSending = false;
    });
    document.documentElement.classList.add('keys-work');
}
