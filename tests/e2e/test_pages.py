"""Every page in every state, as somebody needs it who cannot see it, has a small phone, or uses the keyboard alone."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.backstage import Backstage, Person, phone
from tests.e2e.conftest import Visit
from tests.e2e.journey import BARE_PHONE, DESKTOP, PHONE, Device, Visitor

SMALLEST = {"width": 360, "height": 740}

# Faults of the page as a list of words; an empty list is what we want.
AUDIT = """(isPhone) => {
  const faults = []
  const every = (selector) => [...document.querySelectorAll(selector)]
  const isShown = (part) => part.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })
  const name = (part) => part.outerHTML.replace(/\\s+/g, ' ').slice(0, 110)
  const expectOne = (selector) => {
    const found = every(selector).length
    if (found !== 1) faults.push(`${found} × ${selector}`)
  }
  for (const selector of ['h1', 'main', 'body > header', 'body > footer', 'html[lang]', 'title']) expectOne(selector)
  if (!every('nav').some(isShown) && !every('details.menu').some(isShown)) faults.push('no navigation')
  every('nav, aside').forEach((part) => part.ariaLabel || faults.push(`without a name: ${name(part)}`))
  every('input:not([type=hidden]), select, textarea, meter, progress').forEach((field) => {
    const label = field.getAttribute('aria-label') || field.getAttribute('aria-labelledby')
    if (!label && !field.labels?.length) faults.push(`without a label: ${name(field)}`)
  })
  every('[aria-labelledby], [aria-describedby]').forEach((part) => {
    const ids = `${part.getAttribute('aria-labelledby') ?? ''} ${part.getAttribute('aria-describedby') ?? ''}`
    const missing = ids.split(' ').filter((id) => id && !document.getElementById(id))
    missing.forEach((id) => faults.push(`no #${id} for ${name(part)}`))
  })
  every('a[href^="#"]').forEach((link) => {
    if (!document.getElementById(link.hash.slice(1))) faults.push(`leads nowhere: ${name(link)}`)
  })
  every('img:not([alt])').forEach((image) => faults.push(`without a text: ${name(image)}`))
  every('img:not([width])').filter(isShown).forEach((image) => faults.push(`without a size: ${name(image)}`))
  every('button, a[href], summary').forEach((part) => {
    if (!part.textContent.trim() && !part.ariaLabel) faults.push(`without words: ${name(part)}`)
  })
  every('[tabindex]').forEach((part) => part.tabIndex > 0 && faults.push(`tabindex: ${name(part)}`))
  every('[style], script:not([src])').forEach((part) => {
    if (!part.style.getPropertyValue('--at')) faults.push(`inline: ${name(part)}`)
  })
  const ids = every('[id]').map((part) => part.id)
  ids.filter((id, index) => ids.indexOf(id) !== index).forEach((id) => faults.push(`twice: #${id}`))
  let level = 0
  every('h1, h2, h3, h4').filter(isShown).forEach((heading) => {
    const own = Number(heading.tagName[1])
    if (own > level + 1) faults.push(`from h${level} to ${name(heading)}`)
    level = own
  })
  const tooWide = document.documentElement.scrollWidth - document.documentElement.clientWidth
  if (tooWide > 0) faults.push(`${tooWide} px too wide`)
  if (!isPhone) return faults
  every('a[href], button, summary, input:not([type=hidden])').filter(isShown).forEach((part) => {
    const isSpread = getComputedStyle(part, '::after').position === 'absolute'
    const area = [part, ...(part.labels ?? []), ...(isSpread ? [part.offsetParent] : [])]
    const boxes = area.map((one) => one.getBoundingClientRect())
    const isAlone = part.parentNode.textContent.trim() === part.textContent.trim()
    const isInText = getComputedStyle(part).display === 'inline' && !isAlone
    const isOffScreen = boxes[0].bottom <= 0
    if (!isInText && !isOffScreen && !boxes.some((box) => box.height >= 43.5 && box.width >= 40)) {
      faults.push(`${Math.round(boxes[0].width)} × ${Math.round(boxes[0].height)} px: ${name(part)}`)
    }
  })
  return faults
}"""

PUBLIC = ["/", "/login", "/privacy", "/goodbye", "/s/nothing", "/nowhere", "/api/v1/docs"]
OWN = [
    "/billing",
    "/",
    "/dashboard",
    "/transform",
    "/transformations",
    "/profile",
    "/profile/phone",
    "/profile/erase",
    "/nowhere",
    "/privacy",
]
STATES = ["waiting", "making", "ready", "downloaded", "failed", "cancelled", "deleted"]
ANYWHERE = pytest.mark.parametrize(
    "device", [DESKTOP, PHONE, BARE_PHONE], ids=lambda device: device.name.replace(" ", "-")
)


def faults_of(visitor: Visitor, path: str) -> list[str]:
    visitor.refusals = {402, 404}
    visitor.page.goto(path)
    return [f"{path}: {fault}" for fault in visitor.page.evaluate(AUDIT, visitor.device.phone)]


def visit_small(visit: Visit, device: Device, person: Person | None = None) -> Visitor:
    return visit(device, person=person, **({"viewport": SMALLEST} if device.phone else {}))


@ANYWHERE
def test_pages_for_everybody_are_sound(visit: Visit, device: Device) -> None:
    visitor = visit_small(visit, device)
    assert [fault for path in PUBLIC for fault in faults_of(visitor, path)] == []


@ANYWHERE
def test_ones_own_pages_are_sound_when_new_and_when_full(visit: Visit, device: Device, backstage: Backstage) -> None:
    newcomer, regular = backstage.person(), backstage.person(free_used=3)
    photo = backstage.photo(regular.id)
    for state in STATES * 4:
        backstage.job(regular.id, state, photo)
    for person in (newcomer, regular):
        visitor = visit_small(visit, device, person)
        assert [fault for path in OWN for fault in faults_of(visitor, path)] == []
    assert faults_of(visitor, f"/transform?photo={photo}&style={backstage.style()}") == []
    exhausted = visit_small(visit, device, backstage.person(free_used=5))
    assert [fault for path in ("/dashboard", "/transform") for fault in faults_of(exhausted, path)] == []


@ANYWHERE
def test_a_picture_is_sound_in_every_state(visit: Visit, device: Device, backstage: Backstage) -> None:
    me = backstage.person()
    visitor = visit_small(visit, device, me)
    jobs = [backstage.job(me.id, state) for state in STATES]
    assert [fault for job in jobs for fault in faults_of(visitor, f"/transformations/{job}")] == []


@ANYWHERE
def test_a_shared_picture_is_sound_for_its_owner_and_for_strangers(
    visit: Visit, device: Device, backstage: Backstage
) -> None:
    me = backstage.person()
    job = backstage.job(me.id, "ready")
    owner, stranger = visit_small(visit, device, me), visit_small(visit, device)
    owner.goto(f"/transformations/{job}")
    owner.button("Make a link").click()
    link = owner.page.get_by_label("Link to your picture").input_value()
    assert owner.page.evaluate(AUDIT, device.phone) == []
    assert faults_of(stranger, link.removeprefix(owner.product.url)) == []
    expect(stranger.page.get_by_text("Somebody shared this picture.")).to_be_visible()
    owner.button("End the link").click()
    expect(owner.button("Make a link")).to_be_visible()
    stranger.goto(link, status=404)


@pytest.mark.parametrize("device", [PHONE, BARE_PHONE], ids=lambda device: device.name.replace(" ", "-"))
def test_pages_with_an_error_are_sound(visit: Visit, device: Device) -> None:
    visitor = visit_small(visit, device)
    visitor.refusals = {400, 401}
    visitor.goto("/login")
    visitor.ask_for_code("12")
    expect(visitor.page.get_by_role("alert")).to_be_visible()
    assert visitor.page.evaluate(AUDIT, True) == []
    if device is PHONE:
        visitor.ask_for_code(phone())
        visitor.enter_code("12")
        expect(visitor.page.get_by_role("alert")).to_be_visible()
        assert visitor.page.evaluate(AUDIT, True) == []


# Where the keyboard is: its place in the document, and whether one can see that it is there.
FOCUS = """() => {
  const part = document.activeElement
  if (part === document.body) return null
  const style = (one, pseudo) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(one, pseudo)
    return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
  }
  const around = []
  for (let one = part; one && one !== document.body; one = one.parentElement) around.push(one)
  const isMarked = around.slice(0, 3).some((one) => style(one)) || style(part, '::after')
    || [...(part.parentElement?.querySelectorAll('svg') ?? [])].some((one) => style(one))
  const box = part.getBoundingClientRect()
  const isInView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
  const shown = [...document.querySelectorAll('*')]
  return { index: shown.indexOf(part), isMarked, isInView, name: part.outerHTML.replace(/\\s+/g, ' ').slice(0, 90) }
}"""


def walk(page: Page) -> list[str]:
    """Press Tab through the page; returns what one would stumble over."""
    faults, last = [], -1
    for step in range(80):
        page.keyboard.press("Tab")
        place = page.evaluate(FOCUS)
        if place is None or place["index"] < last:
            break
        if step == 0 and "Skip to the content" not in place["name"]:
            faults.append(f"first comes {place['name']}")
        faults += [f"{wrong}: {place['name']}" for wrong in ("isMarked", "isInView") if not place[wrong]]
        last = place["index"]
    else:
        faults.append("no end in sight")
    return faults if step > 4 else [*faults, f"only {step} places to go"]


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(visit: Visit, backstage: Backstage) -> None:
    me = backstage.person()
    photo = backstage.photo(me.id)
    jobs = [backstage.job(me.id, state, photo) for state in ("ready", "failed", "waiting")]
    visitor = visit(DESKTOP, person=me)
    pages = ["/", "/transform", f"/transform?photo={photo}", "/transformations", "/profile"]
    for path in [*pages, *(f"/transformations/{job}" for job in jobs)]:
        visitor.goto(path)
        assert (path, walk(visitor.page)) == (path, [])


def test_the_skip_link_leads_to_the_content(visit: Visit, device: Device) -> None:
    visitor = visit(device)
    visitor.goto("/privacy")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("main")).to_be_focused()


def test_the_menu_of_a_phone_opens_and_leads_on(visit: Visit, backstage: Backstage) -> None:
    for device in (PHONE, BARE_PHONE):
        visitor = visit_small(visit, device, backstage.person())
        visitor.goto("/dashboard")
        expect(visitor.page.get_by_role("link", name="History")).to_have_count(0)
        visitor.page.get_by_text("Menu", exact=True).click()
        visitor.page.get_by_role("link", name="History").click()
        expect(visitor.heading).to_have_text("History")


MOVING = """() => [
  ...document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 1).map(String),
  ...[...document.querySelectorAll('*')].filter((one) => {
    const style = getComputedStyle(one)
    return [style.transitionDuration, style.animationDuration].some((value) => parseFloat(value) > 0.001)
  }).map((one) => one.outerHTML.slice(0, 80)),
]"""


def test_nothing_moves_for_those_who_asked_for_that(visit: Visit, backstage: Backstage) -> None:
    me = backstage.person()
    visitor = visit(DESKTOP, person=me, reduced_motion="reduce")
    for path in ["/", *(f"/transformations/{backstage.job(me.id, state)}" for state in ("waiting", "making", "ready"))]:
        visitor.goto(path)
        assert visitor.page.evaluate(MOVING) == []
