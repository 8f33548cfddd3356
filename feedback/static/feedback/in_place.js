'use strict';
/* Deciding without leaving the page. The form is sent by this script, and the next page comes as the answer: its content
   takes the place of what is here, and the scripts of the page begin anew. Loaded last: they hear `case-shown` from it,
   with a signal that is aborted when that case is left, for the reason `sent` where the server has what was written. */
{
    const SLOW = 600; // milliseconds after which somebody who waits is told that they do
    const TYPING = 400; // milliseconds within which keys follow on each other while somebody types
    const LEAVING = 2000; // milliseconds after which a page that was to be left is taken to have been kept
    const NO_ANSWER = 'There is no answer, so that nobody knows whether your decision has arrived. Everything you wrote is still here: send it again, it counts only once.';
    const FAULT = 'The server failed before it could answer. Everything you wrote is still here: send it again, it counts only once.';

    const REFUSED = {
        413: 'This is too long to be sent. Everything you wrote is still here: shorten it, and send it again.',
        429: 'Too much was sent at once. Everything you wrote is still here: wait a moment, and send it again.',
    };

    const root = document.documentElement;
    const addressOf = () => location.pathname + location.search;
    let shown = addressOf();
    let isSending = false;
    let strayAt = -Infinity; // when a key was last pressed that was meant for the page before, as events tell the time
    let leaving = null;

    // What only takes a form, as after a refusal, cannot be asked for again: the address is that of the case.
    const standAtTheCase = () => {
        const work = document.querySelector('[data-decision]')?.dataset.work;
        if (work && location.pathname !== work) {
            history.replaceState(null, '', work);
            shown = addressOf();
        }
    };

    const begin = () => {
        standAtTheCase();
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
        if (response.status >= 500 || response.status in REFUSED) {
            stay(form, REFUSED[response.status] ?? FAULT);
            return;
        }
        if (!response.headers.has('X-In-Place')) { // Signed out, or nobody's case any more, and in no case decided.
            document.dispatchEvent(new CustomEvent('case-not-sent'));
            location.reload(); // It is asked for anew, and what was written returns.
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
        if (!isHere) {
            setTimeout(() => {
                isSending = false; // Still here: the browser was told to stop.
            }, LEAVING);
        }
    });

    // --- a hand that types on ----------------------------------------------------------------------------------------

    const isTyped = (event) => !event.ctrlKey && !event.metaKey && !event.altKey
        && (event.key.length === 1 || ['Enter', 'Backspace', 'Delete'].includes(event.key));

    // What is typed while a decision is on its way would be lost with this page, and then be keys of the next one.
    addEventListener('keydown', (event) => {
        if (isTyped(event) && (isSending || event.timeStamp - strayAt < TYPING)) {
            strayAt = event.timeStamp;
            event.preventDefault();
            event.stopImmediatePropagation();
        }
    }, true);
    addEventListener('beforeinput', (event) => {
        if (isSending) {
            event.preventDefault();
        }
    }, true);
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
