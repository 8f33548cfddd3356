'use strict';
/* The review page made fast. Everything here is a convenience: without it each button still does its work.
   It begins anew with each case that in_place.js shows, and ends with it: `signal` is aborted then. */
document.addEventListener('case-shown', ({detail: {signal}}) => {
    const HEARTBEAT = 4 * 60 * 1000; // A lease lasts 15 minutes: three beats may be lost.
    const USED_WITHIN = 10 * 60 * 1000; // A page that nobody touches lets its lease run out.
    const WARN_BEFORE = 3 * 60 * 1000;
    const DUE_WARNINGS = [5, 10, 30]; // minutes before the deadline; each is said once
    const DIFF_DELAY = 150;
    const MAX_CELLS = 9e6; // Beyond, the live comparison would cost more than a keystroke may.
    const NUMBER_KEYS = /^[1-9]$/;

    const page = document.querySelector('[data-review]');
    if (!page) {
        return;
    }
    const form = document.querySelector('[data-decision]');
    const keys = document.querySelector('[data-keys]');
    // The server's clock decides; this machine's may be minutes off.
    const offset = Date.parse(page.dataset.now) - Date.now();
    const now = () => Date.now() + offset;

    const timers = new Set();
    const every = (milliseconds, action) => timers.add(setInterval(action, milliseconds));
    signal.addEventListener('abort', () => timers.forEach(clearInterval));

    // --- warnings: in a live region, said once for each change of words -------------------------------------------------

    const leaseWarning = page.querySelector('[data-lease-warning]');
    const dueWarning = page.querySelector('[data-due-warning]');

    const warn = (place, text) => {
        if (place.textContent !== text) {
            place.textContent = text;
        }
        place.hidden = !text;
    };

    // --- clocks in words, as feedback/wording.py says them ---------------------------------------------------------

    const span = (milliseconds) => {
        const total = Math.floor(Math.abs(milliseconds) / 60000);
        const parts = [[Math.floor(total / 1440), 'd'], [Math.floor(total % 1440 / 60), 'h'], [total % 60, 'min']]
            .filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`);
        return parts.slice(0, 2).join(' ') || 'less than a minute';
    };

    const tellDeadline = () => {
        const due = page.querySelector('[data-due]');
        if (!due) {
            return;
        }
        const left = Date.parse(due.dataset.due) - now();
        due.querySelector('[data-due-words]').textContent = left > 0 ? `due in ${span(left)}` : `overdue by ${span(left)}`;
        const soon = DUE_WARNINGS.find((minutes) => left <= minutes * 60000);
        due.querySelector('[data-due-icon]').textContent = left <= 0 ? '▲ ' : soon ? '◆ ' : '';
        due.closest('.deadline').classList.toggle('deadline-over', left <= 0);
        due.closest('.deadline').classList.toggle('deadline-soon', left > 0 && soon !== undefined);
        if (form && left <= 0) {
            warn(dueWarning, 'The deadline of this case has passed.');
        } else if (form && soon) {
            warn(dueWarning, `The deadline of this case is less than ${soon} minutes ahead.`);
        }
    };

    // --- the lease -------------------------------------------------------------------------------------------------

    const lease = page.querySelector('[data-lease]');
    let lastUsed = Date.now();
    let isLost = false;

    const extend = async () => {
        const body = new FormData();
        for (const name of ['csrfmiddlewaretoken', 'generation']) {
            body.set(name, form.elements[name].value);
        }
        let answer;
        try {
            const response = await fetch(form.dataset.heartbeat, {
                method: 'POST', body, headers: {Accept: 'application/json'}, credentials: 'same-origin',
            });
            if (response.redirected) {
                throw new Error('signed out');
            }
            answer = await response.json();
            if (response.status === 412 || response.status === 409) {
                isLost = true;
                warn(leaseWarning, `${answer.detail} Copy nothing: send your verdict and your text is kept.`);
                return;
            }
            if (!response.ok) {
                throw new Error('refused');
            }
        } catch {
            warn(leaseWarning, 'The case could not be extended: the connection is gone or you are signed out. Your text is still here.');
            return;
        }
        lease.dataset.lease = answer.lease_expires_at;
        const shown = lease.querySelector('[data-lease-until]');
        if (shown) {
            shown.textContent = answer.until;
        }
        warn(leaseWarning, '');
    };

    const watchLease = () => {
        if (!form || !lease || isLost) {
            return;
        }
        const left = Date.parse(lease.dataset.lease) - now();
        if (left <= 0) {
            warn(leaseWarning, 'Your time with this case is over: it may go to somebody else. Extend it, or decide now; your text is kept either way.');
        } else if (left <= WARN_BEFORE) {
            warn(leaseWarning, 'This case is yours for less than 3 minutes more. Extend it (x) to keep it.');
        }
    };

    const beat = () => {
        if (document.visibilityState === 'visible' && Date.now() - lastUsed < USED_WITHIN && !isLost) {
            extend();
        }
    };

    // --- the comparison with the draft: a longest common subsequence of words ------------------------------------------

    const words = (text) => text.match(/\s+|[\p{L}\p{N}_’']+|[^\s\p{L}\p{N}_’']/gu) || [];

    const compare = (before, after) => {
        let first = 0;
        while (first < before.length && first < after.length && before[first] === after[first]) {
            first += 1;
        }
        let last = 0;
        while (last < before.length - first && last < after.length - first
            && before[before.length - 1 - last] === after[after.length - 1 - last]) {
            last += 1;
        }
        const old = before.slice(first, before.length - last);
        const fresh = after.slice(first, after.length - last);
        if (old.length * fresh.length > MAX_CELLS) {
            return [{op: 'gone', text: before.join('')}, {op: 'new', text: after.join('')}];
        }
        const width = fresh.length + 1;
        const lengths = new Uint16Array((old.length + 1) * width);
        for (let i = old.length - 1; i >= 0; i -= 1) {
            for (let j = fresh.length - 1; j >= 0; j -= 1) {
                lengths[i * width + j] = old[i] === fresh[j]
                    ? lengths[(i + 1) * width + j + 1] + 1
                    : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
            }
        }
        const chunks = [];
        const add = (op, text) => {
            const top = chunks[chunks.length - 1];
            if (top && top.op === op) {
                top.text += text;
            } else if (text) {
                chunks.push({op, text});
            }
        };
        add('same', before.slice(0, first).join(''));
        let i = 0;
        let j = 0;
        while (i < old.length || j < fresh.length) {
            if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
                add('same', old[i]);
                i += 1;
                j += 1;
            } else if (i < old.length && (j === fresh.length || lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
                add('gone', old[i]);
                i += 1;
            } else {
                add('new', fresh[j]);
                j += 1;
            }
        }
        add('same', before.slice(before.length - last).join(''));
        return chunks;
    };

    const ELEMENTS = {same: 'span', gone: 'del', new: 'ins'};

    const drawDiff = () => {
        const box = form.querySelector('[data-diff]');
        const out = form.querySelector('[data-diff-out]');
        const before = form.querySelector('[data-original]').value;
        const after = form.elements.final_answer.value;
        const isChanged = before !== after && before !== '';
        box.hidden = !isChanged;
        if (isChanged) {
            out.replaceChildren(...compare(words(before), words(after)).map(({op, text}) => {
                const node = document.createElement(ELEMENTS[op]);
                node.textContent = text; // Never markup.
                return node;
            }));
        }
        return isChanged;
    };

    // --- choosing a verdict and sending it --------------------------------------------------------------------------

    let chosen = null;

    const choose = (verdict, hint = '') => {
        const button = form.querySelector(`[data-verdict="${verdict}"]`);
        if (!button || button.disabled) {
            return false;
        }
        chosen = button;
        for (const other of form.querySelectorAll('[data-verdict]')) {
            other.setAttribute('aria-pressed', String(other === button));
        }
        const label = button.firstChild.textContent.trim();
        form.querySelector('[data-chosen]').textContent = `${label} is chosen${hint}. Ctrl+Enter sends it.`;
        return true;
    };

    const send = () => {
        if (chosen) {
            form.requestSubmit(chosen);
        } else {
            form.querySelector('[data-chosen]').textContent = 'Choose a verdict first: a, e, r or n.';
        }
    };

    const byVerdictKey = (key) => {
        const button = form.querySelector(`[data-key="${key}"]`);
        if (!button || button.disabled || !choose(button.dataset.verdict)) {
            return false;
        }
        if (key === 'e') {
            const answer = form.elements.final_answer;
            answer.focus();
            answer.setSelectionRange(answer.value.length, answer.value.length);
        } else if ((key === 'r' || key === 'n') && !form.elements.reason_code.value && !form.elements.notes.value) {
            choose(button.dataset.verdict, ': give a reason by its digit, or a note');
        }
        return true;
    };

    const byDigit = (digit) => {
        const select = form.elements.reason_code;
        if (select.options && Number(digit) < select.options.length) {
            select.selectedIndex = Number(digit);
            return true;
        }
        return false;
    };

    // --- text snippets ---------------------------------------------------------------------------------------------

    const insert = (key) => {
        const text = form.querySelector(`[data-snippet="${CSS.escape(key)}"]`)?.value;
        if (text === undefined) {
            return false;
        }
        const answer = form.elements.final_answer;
        answer.setRangeText(text, answer.selectionStart, answer.selectionEnd, 'end');
        answer.focus();
        answer.dispatchEvent(new Event('input', {bubbles: true}));
        return true;
    };

    const openSnippets = () => {
        const box = form?.querySelector('[data-snippets]');
        if (box) {
            box.open = true;
            box.querySelector('[data-snippet-key]').focus();
        }
        return Boolean(box);
    };

    // --- setting aside, the checklist, the lease: a key leads there, and nothing is sent by it ----------------------------

    const openAside = (key) => {
        const box = page.querySelector(`[data-aside-key="${key}"]`);
        if (!box) {
            return false;
        }
        box.open = true;
        (box.querySelector('textarea') ?? box.querySelector('button, summary')).focus();
        return true;
    };

    const focusOnChecklist = () => {
        const open = [...document.querySelectorAll('[data-finding]')].find((group) => !group.querySelector(':checked'));
        const next = open?.querySelector('input') ?? form?.elements.no_evidence_applies;
        next?.focus();
        next?.scrollIntoView({block: 'nearest'});
        return Boolean(next);
    };

    const PLACES = {
        t: openSnippets,
        v: focusOnChecklist,
        x: () => Boolean(form) && (extend(), true),
    };

    const isTyping = (target) => target.closest('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]') !== null;

    const onKey = (event) => {
        if (event.defaultPrevented || event.isComposing || keys.open) {
            return;
        }
        if (form && event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            const aside = event.target.closest('[data-aside-key] form');
            if (aside) {
                aside.requestSubmit(); // What is written there is sent, and not a verdict chosen before.
            } else {
                send();
            }
            return;
        }
        if (event.key === 'Escape' && isTyping(event.target)) {
            event.target.blur();
            return;
        }
        if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) {
            return;
        }
        const rest = page.querySelector('[data-rest]');
        let isDone = false;
        if (event.key === '?') {
            keys.showModal();
            isDone = true;
        } else if (event.key === 'o' && rest) {
            rest.open = !rest.open;
            isDone = true;
        } else if (form && NUMBER_KEYS.test(event.key)) {
            isDone = byDigit(event.key);
        } else if (form && 'aern'.includes(event.key)) {
            isDone = byVerdictKey(event.key);
        } else if (Object.hasOwn(PLACES, event.key)) {
            isDone = PLACES[event.key]();
        } else if (/^[a-z]$/.test(event.key)) {
            isDone = openAside(event.key);
        }
        if (isDone) {
            event.preventDefault();
        }
    };

    const countChecked = () => {
        const count = form.querySelector('[data-checklist-count]');
        if (count) {
            const groups = [...document.querySelectorAll('[data-finding]')];
            const marked = groups.filter((group) => group.querySelector(':checked')).length;
            count.textContent = `${marked} of ${groups.length}`;
        }
    };

    // --- an undo button goes when its time is over --------------------------------------------------------------------

    for (const undo of document.querySelectorAll('[data-undo]')) {
        timers.add(setTimeout(() => {
            undo.nextElementSibling?.remove();
            undo.remove();
        }, Number(undo.dataset.seconds) * 1000));
    }

    if (form) {
        let timer = 0;
        form.elements.final_answer.addEventListener('input', () => {
            clearTimeout(timer);
            timer = setTimeout(() => {
                if (drawDiff()) {
                    choose('edit');
                }
            }, DIFF_DELAY);
        });
        if (form.elements.final_decision) {
            form.elements.final_decision.addEventListener('change', () => choose('edit'));
        }
        document.addEventListener('change', countChecked, {signal});
        form.querySelector('[data-snippet-key]')?.addEventListener('keydown', (event) => {
            if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
                event.preventDefault();
                if (insert(event.target.value.trim())) {
                    event.target.value = '';
                }
            }
        });
        for (const button of form.querySelectorAll('[data-insert]')) {
            button.addEventListener('click', () => insert(button.dataset.insert));
        }
        form.querySelector('[data-show-keys]').addEventListener('click', () => keys.showModal());
        page.querySelector('[data-extend]').addEventListener('click', (event) => {
            event.preventDefault();
            extend();
        });
        for (const kind of ['keydown', 'pointerdown', 'scroll']) {
            document.addEventListener(kind, () => {
                lastUsed = Date.now();
            }, {passive: true, capture: true, signal});
        }
        every(HEARTBEAT, beat);
        drawDiff();
        countChecked();
        const refused = form.querySelector('[data-verdict][aria-pressed="true"]');
        if (refused) {
            choose(refused.dataset.verdict);
        }
    }
    document.addEventListener('keydown', onKey, {signal});
    page.querySelector('[data-first-error]')?.focus();
    every(20000, () => {
        tellDeadline();
        watchLease();
    });
    tellDeadline();
    watchLease();
});
