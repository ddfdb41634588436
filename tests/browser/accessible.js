// What a page lacks for people who do not see well, or do not see it at all.  Returns sentences.
() => {
  const lacks = [];
  const seen = (element) => element.offsetParent !== null || getComputedStyle(element).position === "fixed";
  const named = (element) =>
    (element.getAttribute("aria-label") || element.textContent || "").trim() ||
    [...(element.labels || [])].map((label) => label.textContent.trim()).join("");

  const ringed = (element) => {
    const style = getComputedStyle(element);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };

  if (!document.documentElement.lang) { lacks.push("the page has no language"); }
  if (!document.title.trim()) { lacks.push("the page has no title"); }
  if (document.querySelectorAll("main").length !== 1) { lacks.push("the page has no main part"); }
  if ([...document.querySelectorAll("h1")].filter(seen).length !== 1) { lacks.push("the page has not one heading"); }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => lacks.push(`two elements are ${id}`));
  if (/user-scalable=no|maximum-scale/.test(document.querySelector("meta[name=viewport]").content)) {
    lacks.push("the page cannot be enlarged");
  }

  for (const element of [...document.querySelectorAll("button, a, input")].filter(seen)) {
    if (!named(element)) { lacks.push(`${element.outerHTML.slice(0, 80)} has no name`); }
    if (element.tabIndex < 0 || element.tabIndex > 0) { lacks.push(`${element.id} is out of order`); }
    const box = element.getBoundingClientRect();
    if (box.height < 44 || box.width < 44) { lacks.push(`${named(element)} is too small for a thumb: ${box.height}`); }
    if (element.disabled) { continue; }
    element.focus({ focusVisible: true });
    if (!ringed(element) && !ringed(element.parentElement)) {
      lacks.push(`${named(element)} does not show that it is chosen`);
    }
    element.blur();
  }
  for (const element of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) {
    const id = element.getAttribute("aria-describedby") || element.getAttribute("aria-labelledby");
    if (!document.getElementById(id)) { lacks.push(`${id} is not there`); }
  }
  for (const image of document.querySelectorAll("svg, img")) {
    if (!image.closest("[aria-hidden=true], [role=img][aria-label]")) { lacks.push("a picture says nothing"); }
  }
  if (document.querySelector("form") && !document.querySelector("[role=status][aria-live=polite]")) {
    lacks.push("nobody hears what happens");
  }

  const parts = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const linear = [red, green, blue].map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) { return colour; }
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !seen(element) || element.closest("[disabled], script, style, noscript")) { continue; }
    const style = getComputedStyle(element);
    const both = [luminance(parts(style.color)), luminance(ground(element))].sort((one, other) => other - one);
    const contrast = (both[0] + 0.05) / (both[1] + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (contrast < (large ? 3 : 4.5)) { lacks.push(`“${texts.currentNode.data.trim()}” has a contrast of ${contrast.toFixed(2)}`); }
  }
  return lacks;
}
