"use strict";
{
  const form = document.querySelector(".filters");
  const stories = [...document.querySelectorAll(".story")];
  const chapters = [...document.querySelectorAll(".chapter")];
  const nothing = document.querySelector(".nothing");
  const said = form.querySelector("output");
  const words = form.querySelector("#words");
  const texts = new Map();

  const read = (name) => form.querySelector(`#${name}`)?.value ?? "";
  const has = (list, name) => !name || list.split(" ").includes(name);

  // A scenario is found by anything in it, and by the name of its feature. Reading all that takes a moment, once.
  const tell = (story) => {
    if (!texts.has(story)) {
      const feature = story.closest(".chapter").querySelector("h3").textContent;
      texts.set(story, `${feature} ${story.textContent}`.toLowerCase());
    }
    return texts.get(story);
  };

  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const story of stories) {
      const { outcome, requirements, profiles } = story.dataset;
      story.hidden = !(
        has(outcome, read("verdict")) &&
        has(requirements, read("requirement")) &&
        has(profiles, read("profile")) &&
        wanted.every((word) => tell(story).includes(word))
      );
      shown += !story.hidden;
    }
    for (const chapter of chapters) chapter.hidden = !chapter.querySelector(".story:not([hidden])");
    nothing.hidden = shown > 0 || stories.length === 0;
    said.value = shown === stories.length ? `${shown} scenarios` : `${shown} of ${stories.length} scenarios`;
  };

  const clear = () => {
    form.reset();
    filter();
  };

  const open = () => {
    const place = location.hash && document.getElementById(location.hash.slice(1));
    const story = place && place.closest(".story");
    if (!story) return;
    if (story.hidden) clear();
    story.open = true;
    story.scrollIntoView({ block: "start" });
    story.querySelector("summary").focus({ preventScroll: true });
  };

  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").addEventListener("click", clear);
  for (const link of document.querySelectorAll("[data-requirement]"))
    link.addEventListener("click", () => {
      form.querySelector("#requirement").value = link.dataset.requirement;
      filter();
    });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      words.focus();
      words.select();
    } else if (event.key === "Escape" && form.contains(event.target)) clear();
  });
  addEventListener("hashchange", open);
  filter();
  open();
}
