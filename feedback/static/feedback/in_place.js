'use strict';
/* Deciding without leaving the page. The form is sent by this script, and the next page comes as the answer: its content
   takes the place of what is here, and the scripts of the page begin anew. Loaded last: they hear `case-shown` from it,
   with a signal that is aborted when that case is left, for the reason `sent` where the server has what was written. */
{
    const SLOW = 600; // milliseconds after which somebody who waits is told that they do
    const NO_ANSWER = 'There is no answer, so that nobody knows whether your decision has arrived. Everything you wrote is still here: send it again, it counts only once.';
    const FAULT = 'The server failed before it could answer. Everything you wrote is still here: send it again, it counts only once.';

    const root = document.documentElement;
    const addressOf = () => location.pathname + location.search;
    let shown = addressOf();
    let isSending = false;
    let leaving = null;

    const begin = () => {
        leaving = new AbortController();
        document.dispatchEvent(new CustomEvent('case-shown', {detail: {signal: leaving.signal}}));
        if (document.querySelector('[data-review]')) {
            root.classList.add('keys-work');
        }
        isSending = false;
    };

    // --- putting a page in the place of this one -------------------------------------------------------------------

    const assets = (page) => [...page.querySelectorAll('link[rel="stylesheet"], script[src]')]
        .map((element) => element.getAttribute('href') ?? element.getAttribute('src'));

    // The header stays: the admin's script has bound the theme's button there.
    const below = (page) => [...page.getElementById('container').children].filter((part) => part.id !== 'header');

    const focusOnHeading = () => {
        const heading = document.querySelector('main h1');
        const told = document.querySelector('.messagelist');
        if (heading) {
            if (told) { // Read after the heading, as it would be after any other page's.
                told.id = 'told';
                heading.setAttribute('aria-describedby', told.id);
            }
            heading.tabIndex = -1;
            heading.focus({preventScroll: true});
        }
    };

    const put = (page) => {
        root.lang = page.documentElement.lang;
        root.dir = page.documentElement.dir;
        document.title = page.title;
        document.body.className = page.body.className;
        for (const part of below(document)) {
            part.remove();
        }
        document.getElementById('container').append(...below(page));
        scrollTo(0, 0);
        focusOnHeading();
    };

    const leave = (reason) => {
        leaving.abort(reason);
        root.classList.remove('keys-work');
    };

    const goOn = (page, address) => {
        leave('sent');
        const here = new Set(assets(document));
        if (!page || !assets(page).every((asset) => here.has(asset))) {
            location.assign(address); // What that page needs is not loaded here, as after an update of the server.
            return;
        }
        if (address !== addressOf()) {
            history.pushState(null, '', address);
        }
        shown = address;
        put(page);
        begin();
    };

    // --- sending ---------------------------------------------------------------------------------------------------

    const tell = (words) => {
        const place = document.querySelector('[data-sent-warning]');
        place.textContent = words;
        place.hidden = !words;
    };

    const stay = (form, words) => {
        isSending = false;
        form.querySelector('[data-chosen]').textContent = '';
        tell(words);
        document.dispatchEvent(new CustomEvent('case-not-sent'));
    };

    const ask = async (form, button) => {
        const body = new URLSearchParams(new FormData(form));
        body.set(button.name, button.value);
        const response = await fetch(form.getAttribute('action'), {
            method: 'POST', body, credentials: 'same-origin', redirect: 'manual',
            headers: {'X-In-Place': '1', Accept: 'text/html'},
        });
        return [response, await response.text()];
    };

    const send = async (form, button) => {
        tell('');
        const slow = setTimeout(() => {
            form.querySelector('[data-chosen]').textContent = 'On its way …';
        }, SLOW);
        let response;
        let text;
        try {
            [response, text] = await ask(form, button);
        } catch {
            stay(form, NO_ANSWER);
            return;
        } finally {
            clearTimeout(slow);
        }
        if (response.status >= 500) {
            stay(form, FAULT);
            return;
        }
        if (!response.headers.has('X-In-Place')) {
            location.reload(); // Signed out, or nobody's case any more: it is asked for anew, and what was written returns.
            return;
        }
        if (response.status === 204) {
            goOn(null, response.headers.get('Location'));
            return;
        }
        const page = new DOMParser().parseFromString(text, 'text/html');
        if (response.headers.has('Content-Location')) {
            goOn(page, response.headers.get('Content-Location'));
        } else {
            leave('refused'); // With what was typed, and why nothing was done.
            put(page);
            begin();
        }
    };

    document.addEventListener('submit', (event) => {
        const form = event.target;
        if (event.defaultPrevented || !form.matches('[data-decision]')) {
            return;
        }
        const isHere = event.submitter?.name === 'verdict' && form.elements.take_next.checked;
        if (isSending || isHere) {
            event.preventDefault();
        }
        if (!isSending && isHere) {
            send(form, event.submitter);
        }
        isSending = true; // A second press of an impatient finger sends nothing.
    });
    addEventListener('pageshow', (event) => {
        isSending &&= !event.persisted;
    });
    addEventListener('popstate', () => {
        if (addressOf() !== shown) {
            location.reload(); // As any other step back: the page as it is now.
        }
    });
    begin();
}
