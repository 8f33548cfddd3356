'use strict';
/* The unfinished review is saved while it is written: on the server, so that a closed tab or a lost case loses nothing,
   and in this tab until the server has it, so that neither does a server that is away. It begins anew with each case. */
document.addEventListener('case-shown', ({detail: {signal}}) => {
    const PAUSE = 1500; // after the last keystroke
    const AGAIN = 10000; // after the server could not be reached
    const MOST = 60000; // bytes that a browser sends on for a page that closes
    const PREFIX = 'countersign-review:';
    const NOT_WRITTEN = new Set(['csrfmiddlewaretoken', 'generation', 'displayed', 'take_next', 'payload_hash']);

    const form = document.querySelector('[data-decision]');
    if (form) {
        const place = `${PREFIX}${form.dataset.writer}:${form.dataset.keep}`;
        const told = form.querySelector('[data-saved]');
        const warning = document.querySelector('[data-save-warning]');
        const original = form.querySelector('[data-original]').value;

        const warn = (text) => {
            if (warning.textContent !== text) {
                warning.textContent = text;
            }
            warning.hidden = !text;
        };

        // What the person wrote, and not what the page put there.
        const written = () => [...new FormData(form)].filter(([name, value]) => (
            !NOT_WRITTEN.has(name) && !(name === 'final_answer' && value.replaceAll('\r\n', '\n') === original)
        ));

        // --- in this tab ----------------------------------------------------------------------------------------------

        const remember = (isSent = false) => {
            const generation = form.elements.generation.value;
            try {
                sessionStorage.setItem(place, JSON.stringify({generation, isSent, fields: written()}));
            } catch { /* No room, or no such store: the server is tried all the same. */ }
        };

        const forget = () => sessionStorage.removeItem(place);

        const fill = (fields) => {
            for (const element of form.elements) {
                if (element.closest('.action-choice')) {
                    continue; // Nobody signs by what stood there before.
                }
                const values = fields.filter(([name]) => name === element.name).map(([, value]) => value);
                if (element.type === 'checkbox' || element.type === 'radio') {
                    if (!NOT_WRITTEN.has(element.name)) {
                        element.checked = values.includes(element.value);
                    }
                } else if (values.length && ['textarea', 'text', 'select-one'].includes(element.type)) {
                    element.value = values[0];
                }
            }
            form.elements.final_answer.dispatchEvent(new Event('input', {bubbles: true}));
            document.dispatchEvent(new Event('change'));
        };

        const recall = () => {
            for (const key of Object.keys(sessionStorage)) {
                if (key.startsWith(PREFIX) && !key.startsWith(`${PREFIX}${form.dataset.writer}:`)) {
                    sessionStorage.removeItem(key); // Somebody else's, who worked in this tab before.
                }
            }
            const kept = JSON.parse(sessionStorage.getItem(place) ?? 'null');
            if (!kept || 'bound' in form.dataset) {
                return;
            }
            if (kept.isSent && kept.generation !== form.elements.generation.value) {
                forget(); // It arrived.
                return;
            }
            fill(kept.fields);
            warn('What you had written stands in the form again: it had not reached the server.');
            later();
        };

        // --- on the server --------------------------------------------------------------------------------------------

        let timer = 0;
        let isOver = false;
        let hasFailed = false;
        let underway = null;

        const later = (delay = PAUSE) => {
            clearTimeout(timer);
            timer = isOver ? 0 : setTimeout(save, delay);
        };

        const save = async (keepalive = false) => {
            clearTimeout(timer);
            timer = 0;
            underway?.abort();
            const mine = new AbortController();
            underway = mine;
            try {
                const response = await fetch(form.dataset.keep, {
                    method: 'POST', body: new FormData(form), headers: {Accept: 'application/json'},
                    credentials: 'same-origin', signal: mine.signal, keepalive,
                });
                if (response.redirected || !response.headers.get('Content-Type')?.includes('json')) {
                    throw new Error('not our answer');
                }
                const answer = await response.json();
                if (mine !== underway || timer) {
                    return; // More was written meanwhile.
                }
                if (response.ok || response.status === 412) {
                    forget();
                }
                isOver = response.status === 412 || response.status === 409;
                told.textContent = response.ok ? `Saved at ${answer.at}.` : '';
                if (!response.ok || hasFailed) {
                    warn(response.ok ? '' : answer.detail);
                }
                hasFailed = !response.ok;
            } catch {
                if (mine.signal.aborted) {
                    return;
                }
                hasFailed = true;
                told.textContent = '';
                warn('Your text could not be saved: the server does not answer, or you are signed out. It is kept in this tab, and tried again.');
                later(AGAIN);
            } finally {
                if (mine === underway) {
                    underway = null;
                }
            }
        };

        for (const kind of ['input', 'change']) {
            document.addEventListener(kind, (event) => {
                if (event.target.form === form && !NOT_WRITTEN.has(event.target.name)) {
                    remember();
                    later();
                }
            }, {signal});
        }
        document.addEventListener('visibilitychange', () => {
            if (document.visibilityState === 'hidden' && timer) {
                save(JSON.stringify(written()).length < MOST / 2);
            }
        }, {signal});
        const stop = () => {
            clearTimeout(timer);
            timer = 0;
            underway?.abort();
        };
        form.addEventListener('submit', () => {
            stop();
            remember(true);
        });
        document.addEventListener('case-not-sent', () => {
            remember();
            later();
        }, {signal});
        signal.addEventListener('abort', () => {
            stop();
            isOver = true;
            if (signal.reason === 'sent') {
                forget();
            }
        });
        recall();
    }
});
