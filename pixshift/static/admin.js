// The desk: what has a page of its own to confirm opens as a dialog; every page works without it.
document.addEventListener('click', async (event) => {
  const close = event.target.closest('dialog [data-close]'), link = event.target.closest('a[data-dialog]')
  if (close) { event.preventDefault(); close.closest('dialog').close() }
  if (!link || event.metaKey || event.ctrlKey) return
  event.preventDefault()
  if (link.ariaBusy) return
  link.ariaBusy = 'true'
  const answer = await fetch(link.href, { headers: { 'HX-Request': 'true' } }).catch(() => null)
  if (!answer?.ok || answer.redirected || answer.headers.has('HX-Redirect')) return location = link.href
  const dialog = document.createElement('dialog')
  dialog.innerHTML = await answer.text()
  dialog.setAttribute('aria-labelledby', 'question')
  dialog.querySelector('h1').id = 'question'
  dialog.addEventListener('close', () => { dialog.remove(); link.ariaBusy = null; link.focus() })
  document.body.append(dialog)
  dialog.showModal()
})
document.addEventListener('change', (event) => event.target.closest('form[data-now]')?.requestSubmit())
document.querySelector('#error-summary')?.focus()
