"""What the text-to-image model can be asked for: concepts, each with the emoji (by their CLDR labels) that show it."""

TABLE = """
grinning face: grinning face, grinning face with smiling eyes, grinning face with big eyes
face with sunglasses: smiling face with sunglasses
crying face: crying face, loudly crying face
angry face: angry face, enraged face
laughing face: face with tears of joy, rolling on the floor laughing
love face: smiling face with heart-eyes, smiling face with hearts
sleeping face: sleeping face, sleepy face
thinking face: thinking face
winking face: winking face, winking face with tongue
surprised face: face with open mouth, astonished face
kissing face: face blowing a kiss, kissing face
sick face: face with medical mask, face with thermometer
angel: smiling face with halo
devil: smiling face with horns, angry face with horns
ghost: ghost
robot: robot
alien: alien
skull: skull, skull and crossbones
clown: clown face
poo: pile of poo
heart: red heart, sparkling heart
broken heart: broken heart
star: star, glowing star
fire: fire
sun: sun, sun with face
moon: crescent moon, last quarter moon face
full moon: full moon, full moon face
cloud: cloud, cloud with rain
rainbow: rainbow
snowman: snowman, snowman without snow
snowflake: snowflake
umbrella: umbrella, umbrella with rain drops
lightning: high voltage
tornado: tornado
wave: water wave
cat: cat face, cat
dog: dog face, dog, poodle
monkey: monkey face, monkey
horse: horse face, horse
unicorn: unicorn
cow: cow face, cow
pig: pig face, pig
sheep: ewe, ram
elephant: elephant
lion: lion
tiger: tiger face, tiger
bear: bear
panda: panda
koala: koala
rabbit: rabbit face, rabbit
mouse: mouse face, mouse
fox: fox
frog: frog
crocodile: crocodile
turtle: turtle
snake: snake
dragon: dragon face, dragon
dinosaur: sauropod, T-Rex
penguin: penguin
owl: owl
eagle: eagle
duck: duck
bird: bird
chicken: chicken, rooster
chick: baby chick, hatching chick, front-facing baby chick
fish: fish, tropical fish
whale: whale, spouting whale
dolphin: dolphin
shark: shark
octopus: octopus
crab: crab
snail: snail
butterfly: butterfly
bee: honeybee
ladybug: lady beetle
spider: spider
rose: rose
tulip: tulip
sunflower: sunflower
cherry blossom: cherry blossom
cactus: cactus
palm tree: palm tree
tree: deciduous tree
pine tree: evergreen tree
christmas tree: Christmas tree
mushroom: mushroom
clover: four leaf clover, shamrock
leaf: maple leaf, fallen leaf
apple: red apple, green apple
banana: banana
grapes: grapes
strawberry: strawberry
lemon: lemon
orange fruit: tangerine
watermelon: watermelon
pineapple: pineapple
cherries: cherries
pear: pear
peach: peach
tomato: tomato
carrot: carrot
corn: ear of corn
eggplant: eggplant
bread: bread
cheese: cheese wedge
hamburger: hamburger
pizza: pizza
hot dog: hot dog
french fries: french fries
taco: taco
egg: egg, cooking
cookie: cookie
doughnut: doughnut
birthday cake: birthday cake
shortcake: shortcake
ice cream: ice cream, soft ice cream
lollipop: lollipop
coffee: hot beverage
beer: beer mug
wine: wine glass
car: automobile
taxi: taxi
police car: police car
bus: bus
ambulance: ambulance
fire engine: fire engine
bicycle: bicycle
motorcycle: motorcycle, motor scooter
tractor: tractor
train: locomotive
airplane: airplane
rocket: rocket
helicopter: helicopter
sailboat: sailboat
ship: ship
house: house
castle: castle
tent: tent
mountain: snow-capped mountain, mountain
volcano: volcano
guitar: guitar
violin: violin
trumpet: trumpet
piano: musical keyboard
soccer ball: soccer ball
basketball: basketball
tennis ball: tennis
american football: american football
trophy: trophy
balloon: balloon
gift: wrapped gift
crown: crown
top hat: top hat
glasses: glasses
t-shirt: t-shirt
dress: dress
jeans: jeans
shoe: running shoe
key: key
hammer: hammer
scissors: scissors
light bulb: light bulb
candle: candle
book: open book
pencil: pencil
telephone: telephone, telephone receiver
mobile phone: mobile phone
laptop: laptop
television: television
camera: camera, camera with flash
alarm clock: alarm clock
bell: bell
anchor: anchor
bomb: bomb
magnifying glass: magnifying glass tilted left, magnifying glass tilted right
envelope: envelope
eye: eye
hand: waving hand, raised hand
thumbs up: thumbs up
baby: baby
santa claus: Santa Claus
princess: princess
doctor: health worker, man health worker, woman health worker
police officer: police officer, man police officer, woman police officer
cook: cook, man cook, woman cook
astronaut: astronaut, man astronaut, woman astronaut
firefighter: firefighter, man firefighter, woman firefighter
farmer: farmer, man farmer, woman farmer
teacher: teacher, man teacher, woman teacher
"""
CONCEPTS = {
    concept: [label.strip().lower() for label in labels.split(",")]
    for concept, labels in (line.split(":") for line in TABLE.strip().splitlines())
}
