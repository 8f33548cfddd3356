'use strict';
/* How a review page is read, where its tenant records that and the page says so: seconds in front, how far down, how many
   parts were opened or marked. Sent when the page is left or goes behind another; nothing else is. Of each case anew. */
document.addEventListener('case-shown', ({detail: {signal}}) => {
    const form = document.querySelector('[data-dwell]');
    if (!form) {
        return;
    }
    const page = document.querySelector('[data-review]');
    const LONGER = 1.1; // of the window: below, there is nothing to scroll to

    const touched = new Set();
    let milliseconds = 0;
    let inFrontSince = document.visibilityState === 'visible' ? performance.now() : null;
    let depth = 0;
    let sent = '';

    const measure = () => {
        const height = document.documentElement.scrollHeight;
        depth = Math.max(depth, Math.min(100, Math.round(100 * (scrollY + innerHeight) / height)));
        return height > innerHeight * LONGER;
    };

    const send = () => {
        if (inFrontSince !== null) {
            milliseconds += performance.now() - inFrontSince;
            inFrontSince = null;
        }
        const isLong = measure();
        const body = new FormData(form);
        body.set('seconds', Math.floor(milliseconds / 1000));
        body.set('is_long', isLong ? '1' : '0');
        body.set('depth', depth);
        body.set('opened', touched.size);
        const said = ['seconds', 'depth', 'opened'].map((name) => body.get(name)).join();
        if (said !== sent) {
            sent = said;
            fetch(form.action, {method: 'POST', body, credentials: 'same-origin', keepalive: true}).catch(() => {});
        }
    };

    page.addEventListener('toggle', (event) => {
        if (event.target.open) {
            touched.add(event.target);
        }
    }, true);
    page.addEventListener('change', (event) => {
        const evidence = event.target.closest('.evidence li');
        if (evidence) {
            touched.add(evidence);
        }
    });
    addEventListener('scroll', measure, {passive: true, signal});
    document.addEventListener('visibilitychange', () => {
        if (document.visibilityState === 'hidden') {
            send();
        } else {
            inFrontSince = performance.now();
        }
    }, {signal});
    addEventListener('pagehide', send, {signal});
    signal.addEventListener('abort', send);
});
