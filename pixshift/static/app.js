// Makes pages smoother; every page works without it.
const one = (selector, root = document) => root.querySelector(selector)
const all = (selector, act) => document.querySelectorAll(selector).forEach(act)
const on = (type, act) => document.addEventListener(type, (event) => act(event.target))
const refresh = () => one('#refresh')?.dispatchEvent(new Event('refresh'))

on('input', (field) => {
  if (field.type === 'range') field.closest('.compare').style.setProperty('--at', field.value + '%')
  if (field.id === 'find') all('.styles li', (style) => { style.hidden = !style.textContent.toLowerCase().includes(field.value.trim().toLowerCase()) })
})

on('change', async (field) => {
  if (field.dataset.says) one('#chosen').textContent = field.dataset.says
  const form = field.form, file = field.files?.[0]
  if (!file) return
  const image = one('img', form), bar = one('progress', form), words = form.dataset
  const say = (text) => {
    const wrong = one('.wrong', form)
    one('#live').textContent = one('span', wrong).textContent = text.replace('{name}', file.name).replace('{size}', Math.ceil(file.size / 104857.6) / 10 + ' MB').replace('{sides}', sides.join(' × '))
    wrong.hidden = !text
    if (image.hidden = bar.hidden = !!text) field.value = ''
  }
  image.src = URL.createObjectURL(file)
  const read = await image.decode().catch(() => 1)
  const sides = [image.naturalWidth, image.naturalHeight]
  say(file.size > words.max ? words.big : read ? ''
    : Math.min(...sides) < 100 ? words.small : Math.max(...sides) > 5000 ? words.large : '')
  if (image.hidden) return
  image.hidden = !!read
  const call = new XMLHttpRequest()
  call.open('POST', form.action)
  call.setRequestHeader('X-CSRFToken', form.csrf_token.value)
  call.upload.onprogress = (event) => { bar.value = event.loaded / event.total }
  call.onerror = () => say(words.lost)
  call.onload = () => {
    if (call.status < 400) return location = call.responseURL
    const page = new DOMParser().parseFromString(call.response, 'text/html'), main = one('main', page)
    if (!main) return say(words.lost)
    document.title = page.title
    one('main').replaceWith(main)
    one('#error-summary')?.focus()
  }
  call.send(new FormData(form))
})

on('click', (target) => target.closest('[download]') && [3e3, 12e3].map((wait) => setTimeout(refresh, wait)))

setInterval(() => {
  all('[data-left]', (clock) => {
    const left = Math.max(0, Math.round(((clock.end ??= Date.now() + clock.dataset.left * 1e3) - Date.now()) / 1e3))
    const meter = one('.clock meter')
    if (meter) meter.value = left
    clock.textContent = Math.floor(left / 60) + ':' + `${left % 60}`.padStart(2, 0)
    if (left) return
    delete clock.dataset.left
    clock.parentNode.hidden = true
    refresh()
  })
}, 1e3)

let said
const look = () => {
  all('[data-clock]', (time) => { time.textContent = new Date(time.dateTime).toLocaleTimeString([], { timeStyle: 'short', hourCycle: 'h23' }) })
  const card = one('#status'), says = card?.dataset.says
  if (said && says !== said) {
    document.title = (one('#live').textContent = says) + ' · PixShift'
    if (card.dataset.stage === 'final') one('h1', card).focus()
  }
  said = says
}
look()
on('htmx:after:swap', look)
